"""What hunts look like over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ColumnInfo", "HuntAnswer", "HuntColumn", "HuntRequest", "KqlText", "TableInfo"]

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
    query: Annotated[KqlText, Field(min_length=1)]
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
