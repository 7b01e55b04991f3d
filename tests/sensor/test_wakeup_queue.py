import select
import threading

from driftline.sensor.wakeup_queue import Mailbox


def test_items_come_in_order_and_wake_who_waits() -> None:
    mailbox: Mailbox[int] = Mailbox()
    assert mailbox.take() == []
    thread = threading.Thread(target=lambda: list(map(mailbox.put, range(3))))
    thread.start()
    thread.join()

    assert select.select([mailbox], [], [], 0)[0] == [mailbox]
    assert mailbox.take() == [0, 1, 2]
    assert select.select([mailbox], [], [], 0)[0] == []
    mailbox.close()
