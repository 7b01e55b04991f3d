from driftline.policy import NodeLocation
from driftline.sensor.reporting.health import HealthLedger


def test_each_growth_of_a_loss_counter_is_reported_once() -> None:
    lost = 0
    ledger = HealthLedger(NodeLocation(node="n"), {"ring-full": lambda: lost})
    assert ledger.new_losses() == []
    lost = 3
    (row,) = ledger.new_losses()

    assert (row.ActionType, row.Reason, row.Count, row.NodeName) == ("EventsLost", "ring-full", 3, "n")
    assert ledger.new_losses() == []
    assert ledger.lost() == {"ring-full": 3}


def test_a_gap_row_names_its_container() -> None:
    (row,) = HealthLedger(NodeLocation(), {}).gaps({"c1": 7})

    assert (row.ActionType, row.ContainerId, row.Count) == ("ContainerGap", "c1", 7)
