"""Request and response bodies of the API for hunts, hunting tables and saved hunts."""

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
KqlText = Annotated[str, Field(max_length=1 << 16, description="Text of a KQL query")]
_QUERY = 'CloudProcessEvents | where Drift == "yes" and ContainerImageName has image | summarize count() by FileName'


class HuntRequest(BaseModel):
    """A hunt to run: either a query, or the name of a hunt."""

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
        description="Name of a saved hunt or of a hunt in the library, instead of `query`",
        examples=["crypto-miners"],
    )
    timespan: str = Field(
        default="",
        max_length=32,
        description="Only rows of this Kusto timespan back from now, in tables with a Timestamp; empty: all",
        examples=["7d"],
    )
    parameters: dict[str, Annotated[str, Field(max_length=1 << 14)]] = Field(
        default={},
        max_length=100,
        description="Values, as text, of the parameters that the query declares with `declare query_parameters`",
        examples=[{"image": "nginx"}],
    )
    limit: int = Field(default=10_000, ge=1, le=MOST_ROWS, description="Maximum number of rows in the result")

    @model_validator(mode="after")
    def _check_query_or_run(self) -> Self:
        if bool(self.query) == bool(self.run):
            raise ValueError("expected one of query and run")
        return self


class HuntColumn(BaseModel):
    """A column of a result."""

    model_config = ConfigDict(from_attributes=True)
    name: str = Field(examples=["Timestamp"])
    type: str = Field(description="Kusto type", examples=["datetime"])


class HuntAnswer(BaseModel):
    """The result of a hunt."""

    columns: list[HuntColumn]
    truncated: bool = Field(description="Whether the query has more rows than `limit`, which were left out")
    seconds: float = Field(description="Duration of the query in seconds")
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
    """A hunt to save. Other hunts can use it by name: as a table, or as a function with its parameters."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "text": "CloudProcessEvents | where Timestamp > ago(since) and Drift == 'yes'",
                    "parameters": "since: timespan = 1d",
                    "description": "Drift of the last day",
                    "shared": True,
                }
            ]
        },
    )
    text: Annotated[KqlText, Field(min_length=1)]
    parameters: str = Field(
        default="",
        max_length=2048,
        description="Parameters in the syntax of a KQL function, such as `since: timespan = 1d`",
    )
    description: str = Field(default="", max_length=2048)
    shared: bool = Field(default=False, description="Whether all users may run the hunt and use it in their hunts")


class SavedHuntInfo(BaseModel):
    """A saved hunt."""

    model_config = ConfigDict(from_attributes=True)
    name: str = Field(examples=["Drifted"])
    owner: str = Field(description="Name of the user who saved the hunt", examples=["ada"])
    text: str
    parameters: str
    description: str
    shared: bool
    changed_at: datetime.datetime = Field(description="Time of the latest change, UTC")
