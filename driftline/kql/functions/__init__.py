"""Every function, aggregate and scalar operator as a row of a table."""

from driftline.kql.functions import computed, regression
from driftline.kql.functions.aggregates import AGGREGATES, WINDOWS
from driftline.kql.functions.arrays import ARRAYS
from driftline.kql.functions.computed import COMPUTED
from driftline.kql.functions.convert import CONVERT
from driftline.kql.functions.dynamics import DYNAMICS
from driftline.kql.functions.encodings import ENCODINGS
from driftline.kql.functions.locations import LOCATIONS
from driftline.kql.functions.maths import MATHS
from driftline.kql.functions.moments import MOMENTS
from driftline.kql.functions.network import NETWORK
from driftline.kql.functions.ranges import RANGES
from driftline.kql.functions.refused import REFUSED
from driftline.kql.functions.regression import REGRESSION
from driftline.kql.functions.row import Function, Sql
from driftline.kql.functions.series import SERIES
from driftline.kql.functions.text import TEXT
from driftline.kql.functions.units import UNITS
from driftline.kql.functions.versions import VERSIONS

__all__ = ["AGGREGATES", "ALIASES", "FUNCTIONS", "REFUSED", "SEVERAL", "WINDOWS", "Function", "Sql"]

FUNCTIONS: dict[str, Function] = {
    **TEXT,
    **MATHS,
    **MOMENTS,
    **CONVERT,
    **DYNAMICS,
    **NETWORK,
    **LOCATIONS,
    **ARRAYS,
    **RANGES,
    **ENCODINGS,
    **VERSIONS,
    **UNITS,
    **SERIES,
    **REGRESSION,
    **COMPUTED,
}
SEVERAL = regression.SEVERAL | computed.SEVERAL
ALIASES = {
    "todouble": "toreal",
    "parse_json": "todynamic",
    "parsejson": "todynamic",
    "toboolean": "tobool",
    "iif": "iff",
    "floor": "bin",
    "notnull": "isnotnull",
    "isnotempty": "isnotempty",
    "notempty": "isnotempty",
    "getday": "dayofmonth",
    "datepart": "datetime_part",
    "extractall": "extract_all",
    "extractjson": "extract_json",
    "arraylength": "array_length",
    "parseurl": "parse_url",
    "parsecsv": "parse_csv",
    "parseipv4": "parse_ipv4",
    "parseurlquery": "parse_urlquery",
    "parsexml": "parse_xml",
    "toobject": "todynamic",
    "totime": "totimespan",
    "make_string": "unicode_codepoints_to_string",
    "to_utf8": "unicode_codepoints_from_string",
    "merge_tdigest": "tdigest_merge",
    "merge_tdigests": "tdigest_merge",
    "pack": "bag_pack",
    "pack_dictionary": "bag_pack",
    "any": "take_any",
    "anyif": "take_anyif",
    "makelist": "make_list",
    "makeset": "make_set",
    "argmax": "arg_max",
    "argmin": "arg_min",
    "percentiles": "percentiles",
    "array_strcat": "strcat_array",
    "base64_encodestring": "base64_encode_tostring",
    "base64_decodestring": "base64_decode_tostring",
    "tolower": "tolower",
    "weekofyear": "week_of_year",
    "startofhour": "startofhour",
    "make_dictionary": "make_bag",
}
ALIASES = {name: target for name, target in ALIASES.items() if name != target and target in FUNCTIONS | AGGREGATES}
