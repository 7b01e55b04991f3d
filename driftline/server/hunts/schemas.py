"""What hunts look like over HTTP."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "ColumnInfo",
    "HuntAnswer",
    "HuntColumn",
    "HuntRequest",
    "KqlText",
    "LibraryHunt",
    "NewSavedHunt",
    "SavedHuntInfo",
    "TableInfo",
]

MOST_ROWS = 1_000_000
KqlText = Annotated[str, Field(max_length=1 << 16, description="KQL")]
_QUERY = 'CloudProcessEvents | where Drift == "yes" and ContainerImageName has image | summarize count() by FileName'


class HuntRequest(BaseModel):
    """A query to run."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "query": f"declare query_parameters(image: string); {_QUERY}",
                    "parameters": {"image": "nginx"},
                    "timespan": "7d",
                    "limit": 1000,
                }
            ]
        },
    )
    query: KqlText = ""
    run: str = Field(
        default="",
        max_length=64,
        description="Name of a saved hunt, or one of the library, to run instead of a query",
        examples=["crypto-miners"],
    )
    timespan: str = Field(
        default="", max_length=32, description="Only rows of this span back from now; empty: all", examples=["7d"]
    )
    parameters: dict[str, Annotated[str, Field(max_length=1 << 14)]] = Field(
        default={},
        max_length=100,
        description="Values, as text, of what the query declares with `declare query_parameters`",
        examples=[{"image": "nginx"}],
    )
    limit: int = Field(default=10_000, ge=1, le=MOST_ROWS, description="Most rows to give")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.query) == bool(self.run):
            raise ValueError("expected one of query and run")
        return self


class HuntColumn(BaseModel):
    """A column of the answer."""

    model_config = ConfigDict(from_attributes=True)
    name: str = Field(examples=["Timestamp"])
    type: str = Field(description="Kusto type", examples=["datetime"])


class HuntAnswer(BaseModel):
    """The rows a query found."""

    columns: list[HuntColumn]
    truncated: bool = Field(description="Whether there were more rows than `limit`")
    seconds: float = Field(description="How long it took")
    rows: list[dict[str, Any]] = Field(examples=[[{"FileName": "miner", "count_": 3}]])


class ColumnInfo(HuntColumn):
    """A column of a hunting table."""

    description: str


class TableInfo(BaseModel):
    """A hunting table."""

    name: str = Field(examples=["CloudProcessEvents"])
    description: str
    columns: list[ColumnInfo]


class LibraryHunt(BaseModel):
    """A hunt that ships with driftline."""

    model_config = ConfigDict(from_attributes=True)
    name: str = Field(examples=["account-created"])
    title: str
    description: str
    tactic: str = Field(examples=["Persistence"])
    techniques: list[str] = Field(description="MITRE ATT&CK techniques")
    tables: list[str]
    query: str


class NewSavedHunt(BaseModel):
    """A hunt to keep. Other hunts may name it: as a table, or as a function with its parameters."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "text": "CloudProcessEvents | where Timestamp > ago(since) and Drift == 'yes'",
                    "parameters": "since: timespan = 1d",
                    "description": "What drifted lately",
                    "shared": True,
                }
            ]
        },
    )
    text: Annotated[KqlText, Field(min_length=1)]
    parameters: str = Field(default="", max_length=2048, description="Parameters as KQL declares them")
    description: str = Field(default="", max_length=2048)
    shared: bool = Field(default=False, description="Whether everybody may run it and name it in their hunts")


class SavedHuntInfo(BaseModel):
    """A hunt that somebody keeps."""

    model_config = ConfigDict(from_attributes=True)
    name: str = Field(examples=["Drifted"])
    owner: str = Field(examples=["ada"])
    text: str
    parameters: str
    description: str
    shared: bool
    changed_at: datetime.datetime
