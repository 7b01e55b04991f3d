"""Conversions between units of one kind; an unknown unit gives null.

Each table maps a unit to its multiple of the base unit of its kind. A unit that is not a multiple has a pair of
formulas: to the base unit, and from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from driftline.kql.functions.row import Function, rows
from driftline.kql.functions.sql_lists import Pair, lets

__all__ = ["UNITS"]

Way = tuple[str, str]
METERS = """Angstrom 1/10000000000 AstronomicalUnit 149597870700 Centimeter 1/100 Chain 20.1168 DataMile 1828.8
    Decameter 10 Decimeter 1/10 DtpPica 0.0254/6 DtpPoint 0.0254/72 Fathom 1.8288 Foot 0.3048 Hand 0.1016
    Hectometer 100 Inch 0.0254 KilolightYear 9.4607304725808e18 Kilometer 1000 Kiloparsec 3.0856775814914e19
    LightYear 9.4607304725808e15 MegalightYear 9.4607304725808e21 Megaparsec 3.0856775814914e22 Meter 1
    Microinch 2.54e-8 Micrometer 1/1000000 Mil 2.54e-5 Mile 1609.344 Millimeter 1/1000 Nanometer 1/1000000000
    NauticalMile 1852 Parsec 3.0856775814914e16 PrinterPica 0.3048/72.27 PrinterPoint 0.0254/72.27 Shackle 27.432
    SolarRadius 695510000 Twip 0.0254/1440 UsSurveyFoot 1200/3937 Yard 0.9144"""
RADIANS = """Centiradian 1/100 Deciradian 1/10 Microradian 1/1000000 Milliradian 1/1000 Nanoradian 1/1000000000
    Radian 1"""
DEGREES = """Arcminute 1/60 Arcsecond 1/3600 Degree 1 Gradian 0.9 Microdegree 1/1000000 Millidegree 1/1000
    Nanodegree 1/1000000000 NatoMil 0.05625 Revolution 360"""
JOULES = """BritishThermalUnit 1055.05585262 Calorie 4.184 DecathermEc 1055055852.62
    DecathermImperial 1055055852.57348 DecathermUs 1054804000 ElectronVolt 1.602176634e-19 Erg 1/10000000
    FootPound 1.3558179483314004 GigabritishThermalUnit 1055055852620 GigaelectronVolt 1.602176634e-10
    Gigajoule 1000000000 GigawattDay 86400000000000 GigawattHour 3600000000000 HorsepowerHour 2684519.5376962
    Joule 1 KilobritishThermalUnit 1055055.85262 Kilocalorie 4184 KiloelectronVolt 1.602176634e-16 Kilojoule 1000
    KilowattDay 86400000 KilowattHour 3600000 MegabritishThermalUnit 1055055852.62 Megacalorie 4184000
    MegaelectronVolt 1.602176634e-13 Megajoule 1000000 MegawattDay 86400000000 MegawattHour 3600000000
    Millijoule 1/1000 TeraelectronVolt 1.602176634e-7 TerawattDay 86400000000000000 TerawattHour 3600000000000000
    ThermEc 105505585.262 ThermImperial 105505585.257348 ThermUs 105480400 WattDay 86400 WattHour 3600"""
NEWTONS = """Decanewton 10 Dyn 1/100000 KilogramForce 9.80665 Kilonewton 1000 KiloPond 9.80665
    KilopoundForce 4448.2216152605 Meganewton 1000000 Micronewton 1/1000000 Millinewton 1/1000 Newton 1
    OunceForce 0.27801385095378125 Poundal 0.138254954376 PoundForce 4.4482216152605 ShortTonForce 8896.443230521
    TonneForce 9806.65"""
KILOGRAMS = """Centigram 1/100000 Decagram 1/100 Decigram 1/10000 EarthMass 5.9722e24 Grain 0.00006479891 Gram 1/1000
    Hectogram 1/10 Kilogram 1 Kilopound 453.59237 Kilotonne 1000000 LongHundredweight 50.80234544 LongTon 1016.0469088
    Megapound 453592.37 Megatonne 1000000000 Microgram 1/1000000000 Milligram 1/1000000 Nanogram 1/1000000000000
    Ounce 0.028349523125 Pound 0.45359237 ShortHundredweight 45.359237 ShortTon 907.18474 Slug 14.593902937206
    SolarMass 1.98947e30 Stone 6.35029318 Tonne 1000"""
LENGTHS_OF_SPEED = """Centimeter 1/100 Decimeter 1/10 Foot 0.3048 Inch 0.0254 Kilometer 1000 Meter 1
    Micrometer 1/1000000 Millimeter 1/1000 Nanometer 1/1000000000 UsSurveyFoot 1200/3937 Yard 0.9144"""
TIMES_OF_SPEED = {"PerHour": 3600, "PerMinute": 60, "PerSecond": 1}
NO_SPEEDS = frozenset(["DecimeterPerHour", "MicrometerPerHour", "NanometerPerHour"])
CUBIC_METERS = """AcreFoot 1/0.000810714 AuTablespoon 0.00002 BoardFoot 0.002359737216 Centiliter 1/100000
    CubicCentimeter 1/1000000 CubicDecimeter 1/1000 CubicFoot 0.028316846592 CubicHectometer 1000000
    CubicInch 0.000016387064 CubicKilometer 1000000000 CubicMeter 1 CubicMicrometer 1/1000000000000000000
    CubicMile 4168181825.440579584 CubicMillimeter 1/1000000000 CubicYard 0.764554857984 Decaliter 1/100
    DecausGallon 0.03785411784 Deciliter 1/10000 DeciusGallon 0.0003785411784 HectocubicFoot 2.8316846592
    HectocubicMeter 100 Hectoliter 1/10 HectousGallon 0.3785411784 ImperialBeerBarrel 0.16365924
    ImperialGallon 0.00454609 ImperialOunce 0.0000284130625 ImperialPint 0.00056826125 KilocubicFoot 28.316846592
    KilocubicMeter 1000 KiloimperialGallon 4.54609 Kiloliter 1 KilousGallon 3.785411784 Liter 1/1000
    MegacubicFoot 28316.846592 MegaimperialGallon 4546.09 Megaliter 1000 MegausGallon 3785.411784 MetricCup 1/4000
    MetricTeaspoon 1/200000 Microliter 1/1000000000 Milliliter 1/1000000 OilBarrel 0.158987294928
    UkTablespoon 0.000015 UsBeerBarrel 0.117347765304 UsCustomaryCup 0.0002365882365 UsGallon 0.003785411784
    UsLegalCup 0.00024 UsOunce 0.0000295735295625 UsPint 0.000473176473 UsQuart 0.000946352946
    UsTablespoon 0.00001478676478125 UsTeaspoon 0.00000492892159375"""


def number(text: str) -> Fraction:
    """Return the value of a number or of a quotient of two numbers."""
    above, _, below = text.partition("/")
    return Fraction(above) / Fraction(below or "1")


def literal(value: float) -> str:
    """Return SQL of a real number; it has an exponent where DuckDB would else read a decimal."""
    return f"{value!r}e0" if "e" not in repr(value) else repr(value)


def scaled(size: Fraction) -> Way:
    """Return the formulas of a unit that is a multiple of the base unit.

    A size of one divided by a whole number becomes that whole number, which is exact.
    """
    if size.numerator == 1:
        whole = literal(float(size.denominator))
        return f"({{x}} / {whole})", f"({{x}} * {whole})"
    return f"({{x}} * {literal(float(size))})", f"({{x}} / {literal(float(size))})"


def multiples(table: str, of: Fraction = Fraction(1)) -> dict[str, Way]:
    """Return the formulas of a table of units with their sizes, times ``of``."""
    words = table.split()
    return {name: scaled(number(size) * of) for name, size in zip(words[::2], words[1::2], strict=True)}


def speeds() -> dict[str, Way]:
    """Return the formulas of the units of speed, from those of length and time."""
    found = {"Knot": scaled(Fraction(1852, 3600)), "MilePerHour": scaled(Fraction("0.44704"))}
    for time, seconds in TIMES_OF_SPEED.items():
        lengths = multiples(LENGTHS_OF_SPEED, Fraction(1, seconds))
        found |= {length + time: way for length, way in lengths.items() if length + time not in NO_SPEEDS}
    return found


ANGLES = {
    **multiples(DEGREES),
    **multiples(RADIANS, Fraction(180) / Fraction(math.pi)),
    "Tilt": ("CASE WHEN abs({x}) <= 1 THEN degrees(asin({x})) END", "sin(radians({x}))"),
}
KELVINS = {
    "DegreeCelsius": ("({x} + 273.15e0)", "({x} - 273.15e0)"),
    "DegreeDelisle": ("(373.15e0 - {x} * 2e0 / 3e0)", "((373.15e0 - {x}) * 1.5e0)"),
    "DegreeFahrenheit": ("(({x} + 459.67e0) * 5e0 / 9e0)", "({x} * 9e0 / 5e0 - 459.67e0)"),
    "DegreeNewton": ("({x} * 100e0 / 33e0 + 273.15e0)", "(({x} - 273.15e0) * 33e0 / 100e0)"),
    "DegreeRankine": ("({x} * 5e0 / 9e0)", "({x} * 9e0 / 5e0)"),
    "DegreeReaumur": ("({x} * 1.25e0 + 273.15e0)", "(({x} - 273.15e0) / 1.25e0)"),
    "DegreeRoemer": ("(({x} - 7.5e0) * 40e0 / 21e0 + 273.15e0)", "(({x} - 273.15e0) * 21e0 / 40e0 + 7.5e0)"),
    "Kelvin": ("{x}", "{x}"),
    "MillidegreeCelsius": ("({x} / 1000e0 + 273.15e0)", "(({x} - 273.15e0) * 1000e0)"),
    "SolarTemperature": ("({x} * 5778e0)", "({x} / 5778e0)"),
}
KINDS: dict[str, Mapping[str, Way]] = {
    "angle": ANGLES,
    "energy": multiples(JOULES),
    "force": multiples(NEWTONS),
    "length": multiples(METERS),
    "mass": multiples(KILOGRAMS),
    "speed": speeds(),
    "temperature": KELVINS,
    "volume": multiples(CUBIC_METERS),
}


def converted(ways: Mapping[str, Way]) -> Pair:
    """Return the templates that convert ``_0`` from unit ``_1`` to the base unit, and that to unit ``_2``."""
    into = " ".join(f"WHEN '{name}' THEN {way[0].format(x='_0')}" for name, way in ways.items())
    back = " ".join(f"WHEN '{name}' THEN {way[1].format(x='b')}" for name, way in ways.items())
    base = f"CASE _1 {into} END"
    return lets((f"CASE _2 {back} END", f"CASE _2 {back} END"), b=(base, base))


UNITS = rows(
    [
        Function(
            f"convert_{kind}",
            "real string string",
            "real",
            sql=converted(ways),
            doc=f"Convert a value between units of {kind}; null for an unknown unit.",
        )
        for kind, ways in KINDS.items()
    ]
)
