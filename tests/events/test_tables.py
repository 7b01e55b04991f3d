"""Columns of the hunting tables: Defender's first, in its order, then driftline's."""

from driftline.events import TABLES

DEFENDER = {
    "CloudProcessEvents": (
        "Timestamp AzureResourceId AwsResourceName GcpFullResourceName ContainerImageName KubernetesNamespace "
        "KubernetesPodName KubernetesResource ContainerName ContainerId ActionType FileName FolderPath ProcessId "
        "ProcessName ParentProcessName ParentProcessId ProcessCommandLine ProcessCreationTime "
        "ProcessCurrentWorkingDirectory AccountName LogonId InitiatingProcessId AdditionalFields"
    ),
    "CloudAuditEvents": (
        "Timestamp ReportId DataSource ActionType OperationName ResourceId IPAddress IsAnonymousProxy CountryCode "
        "City Isp UserAgent RawEventData AdditionalFields"
    ),
    "AlertInfo": "Timestamp AlertId Title Category Severity ServiceSource DetectionSource AttackTechniques",
    "AlertEvidence": (
        "Timestamp AlertId Title Categories AttackTechniques ServiceSource DetectionSource EntityType EvidenceRole "
        "EvidenceDirection FileName FolderPath SHA1 SHA256 FileSize ThreatFamily RemoteIP RemoteUrl AccountName "
        "AccountDomain AccountSid AccountObjectId AccountUpn DeviceId DeviceName LocalIP NetworkMessageId "
        "EmailSubject Application ApplicationId OAuthApplicationId ProcessCommandLine RegistryKey RegistryValueName "
        "RegistryValueData AdditionalFields Severity CloudResource CloudPlatform ResourceType ResourceID "
        "SubscriptionId"
    ),
}


def test_defenders_columns_come_first() -> None:
    for table, names in DEFENDER.items():
        found = [column.name for column in TABLES[table].columns]
        assert found[: len(names.split())] == names.split()


def test_columns_have_kusto_types() -> None:
    types = {column.name: column.type for column in TABLES["CloudProcessEvents"].columns}

    assert (types["Timestamp"], types["ProcessId"], types["ParentProcessId"]) == ("datetime", "long", "string")
    assert (types["LogonId"], types["PodLabels"]) == ("long", "dynamic")


def test_every_column_has_a_description() -> None:
    assert not [column for table in TABLES.values() for column in table.columns if not column.description]
