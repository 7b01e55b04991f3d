"""URLs and paths, taken apart."""

from __future__ import annotations

from driftline.kql.functions.row import rows

__all__ = ["LOCATIONS"]

LOCATIONS = rows(
    [
        (
            "parse_path",
            "string",
            "dynamic",
            "json_object('Scheme', regexp_extract(_0, '^([a-zA-Z]+):[/][/]', 1), 'RootPath', regexp_extract(_0, '^([A-Za-z]:)', 1),"
            " 'DirectoryPath', regexp_extract(_0, '^(.*)[/\\\\][^/\\\\]*$', 1), 'DirectoryName', regexp_extract(_0, '([^/\\\\]+)[/\\\\][^/\\\\]*$', 1),"
            " 'Filename', regexp_extract(_0, '([^/\\\\]*)$', 1), 'Extension', regexp_extract(_0, '[.]([^./\\\\]+)$', 1), 'AlternateDataStreamName', '')",
            None,
            "Take a path apart into a bag.",
        ),
        (
            "parse_url",
            "string",
            "dynamic",
            "json_object('Scheme', regexp_extract(_0, '^([a-zA-Z][a-zA-Z0-9+.-]*):', 1), 'Host', regexp_extract(_0, '^[^:/]+:[/][/](?:[^@/]*@)?([^:/?#]*)', 1),"
            " 'Port', regexp_extract(_0, '^[^:/]+:[/][/](?:[^@/]*@)?[^:/?#]*:([0-9]+)', 1), 'Path', regexp_extract(_0, '^[^:/]+:[/][/][^/?#]*([^?#]*)', 1),"
            " 'Username', regexp_extract(_0, '^[^:/]+:[/][/]([^:@/]*)(?::[^@/]*)?@', 1), 'Password', regexp_extract(_0, '^[^:/]+:[/][/][^:@/]*:([^@/]*)@', 1),"
            " 'Query Parameters', coalesce(json_group_object_of(regexp_extract(_0, '[?]([^#]*)', 1)), '{}'), 'Fragment', regexp_extract(_0, '#(.*)$', 1))".replace(
                "coalesce(json_group_object_of(regexp_extract(_0, '[?]([^#]*)', 1)), '{}')",
                "to_json(map_from_entries(list_transform(list_filter(string_split(regexp_extract(_0, '[?]([^#]*)', 1), '&'), lambda p: p <> ''), lambda p: struct_pack(k := split_part(p, '=', 1), v := split_part(p, '=', 2)))))",
            ),
            None,
            "Take a URL apart into a bag.",
        ),
    ]
)
