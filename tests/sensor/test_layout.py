"""The layouts of the C header (BTF of the object) and of the Python decoder agree, field by field."""

import json
import struct
import subprocess

import pytest

from driftline.sensor.bpf import block_maps, kernel, records

pytestmark = pytest.mark.kernel

STRUCTS = {
    "settings": records.SETTINGS.size,
    "block_policy": block_maps.BLOCK_POLICY.size,
    "container_root": records.ROOT.size,
    "hash_key": block_maps.HASH_KEY.size,
    "mapped_key": block_maps.MAPPED_KEY.size,
    "cached_verdict": block_maps.CACHED_VERDICT.size,
    "verdict_key": block_maps.VERDICT_KEY.size,
    "record_head": records.HEAD.size,
    "file_writer": records.WRITER.size,
    "program_key": records.PROGRAM_KEY.size,
    "writer_args": records.WRITER_ARGS.size,
    "file_facts": records.FACTS.size,
    "ancestor": records.ANCESTOR.size,
    "cgroup_loss": records.CGROUP_LOSS.size,
    "exit_record": records.HEAD.size + records.EXIT.size,
    "cgroup_record": records.HEAD.size + records.CGROUP.size,
    "open_record": (
        records.HEAD.size
        + records.FACTS.size
        + records.ANCESTORS * records.ANCESTOR.size
        + records.FILE_KEY.size
        + records.OPEN_LENGTHS.size
    ),
    "exec_record": (
        records.HEAD.size
        + records.FACTS.size
        + records.EXEC.size
        + records.ANCESTORS * records.ANCESTOR.size
        + records.EXEC_LENGTHS.size
    ),
}

# Members in order of the decoder's format, with the size of each.
MEMBERS = {
    "record_head": (records.HEAD, "time length type flags cgroup start tgid pid mnt_ns root_device"),
    "file_facts": (
        records.FACTS,
        "inode size ctime magic device mode nlink lowers upper pad fs_type key writer opener",
    ),
    "block_policy": (
        block_maps.BLOCK_POLICY,
        "set image block closed first undecidable relocated flags pad",
    ),
    "container_root": (records.ROOT, "device pad first"),
    "hash_key": (block_maps.HASH_KEY, "hash owner kind"),
    "mapped_key": (block_maps.MAPPED_KEY, "inode tgid"),
    "cached_verdict": (block_maps.CACHED_VERDICT, "ctime size trusted untrusted"),
    "verdict_key": (block_maps.VERDICT_KEY, "file set pad"),
    "settings": (records.SETTINGS, "host_mnt_ns watch_hosts own_tgid pad seed"),
    "file_writer": (records.WRITER, "time process cgroup exec_id size mnt_ns operation comm"),
    "program_key": (records.PROGRAM_KEY, "process exec_id"),
    "writer_args": (records.WRITER_ARGS, "length data"),
    "ancestor": (records.ANCESTOR, "start tgid pad comm"),
}


@pytest.fixture(scope="module")
def types() -> dict[str, dict[str, object]]:
    """Return the structs of the compiled object by name, from its BTF."""
    dump = subprocess.run(
        ("bpftool", "-j", "btf", "dump", "file", kernel.OBJECT), check=True, capture_output=True
    ).stdout
    return {entry["name"]: entry for entry in json.loads(dump)["types"] if entry["kind"] == "STRUCT"}


@pytest.mark.parametrize("name", STRUCTS)
def test_struct_sizes_agree_with_btf(types: dict[str, dict[str, object]], name: str) -> None:
    assert types[name]["size"] == STRUCTS[name]


@pytest.mark.parametrize("name", MEMBERS)
def test_struct_members_agree_with_btf(types: dict[str, dict[str, object]], name: str) -> None:
    layout, names = MEMBERS[name]
    members: list[dict[str, int]] = types[name]["members"]  # type: ignore[assignment] # bpftool's JSON
    offsets = {str(member["name"]): member["bits_offset"] // 8 for member in members}

    assert list(offsets) == names.split()
    assert _first_offsets(layout, list(offsets.values())) == list(offsets.values())


# Where the fields of a struct format begin; nested structs appear as their first field.
def _first_offsets(layout: struct.Struct, wanted: list[int]) -> list[int]:
    at, found = 0, []
    for code in _codes(layout.format):
        found.append(at)
        at += struct.calcsize("=" + code)
    return [offset for offset in found if offset in wanted]


def _codes(text: str) -> list[str]:
    codes, count = [], ""
    for character in text.removeprefix("="):
        if character.isdigit():
            count += character
            continue
        codes += [count + character] if character == "s" else [character] * int(count or 1)
        count = ""
    return codes
