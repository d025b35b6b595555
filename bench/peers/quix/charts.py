"""Control charts of inspected characteristics: the findings of services/quality/src/charts.ts."""

import math

from millwright.production.v1.production_pb2 import ProductionRecord
from millwright.quality.v1 import quality_pb2 as quality

MEMORY = 15
# d2 and d3 for 2 to 10 values.
D2 = (1.1283791671, 1.69256875064, 2.05875074601, 2.32592894728, 2.53441272122, 2.70435675121, 2.84720061209, 2.97002632442, 3.07750546167)
D3 = (0.852502466427, 0.888368004045, 0.879808202825, 0.864081941099, 0.848039686117, 0.833205335622, 0.819831489792, 0.807834274553, 0.797050673519)
TYPES = {"xbar-r": quality.CHART_TYPE_XBAR_R, "i-mr": quality.CHART_TYPE_I_MR}
TEXTS = (
    "a point beyond three sigma",
    "nine points in a row on one side of the centre",
    "six points in a row rising or falling",
    "fourteen points in a row going up and down by turns",
    "two of three points beyond two sigma on one side",
    "four of five points beyond one sigma on one side",
    "fifteen points in a row within one sigma",
    "eight points in a row beyond one sigma on both sides",
)


def same_side(z, count):
    last = z[-count:]
    return len(last) == count and (all(v > 0 for v in last) or all(v < 0 for v in last))


def steady(z):
    if len(z) < 6:
        return False
    steps = [b - a for a, b in zip(z[-6:], z[-5:])]
    return all(step > 0 for step in steps) or all(step < 0 for step in steps)


def alternating(z):
    if len(z) < 14:
        return False
    steps = [b - a for a, b in zip(z[-14:], z[-13:])]
    return all(a * b < 0 for a, b in zip(steps, steps[1:]))


def among(z, needed, count, limit):
    if z[-1] == 0:
        return False
    side = math.copysign(1, z[-1])
    return z[-1] * side > limit and sum(v * side > limit for v in z[-count:]) >= needed


RULES = (
    lambda z: abs(z[-1]) > 3,
    lambda z: same_side(z, 9),
    steady,
    alternating,
    lambda z: among(z, 2, 3, 2),
    lambda z: among(z, 4, 5, 1),
    lambda z: len(z) >= 15 and all(abs(v) < 1 for v in z[-15:]),
    lambda z: len(z) >= 8 and all(abs(v) > 1 for v in z[-8:]) and any(v > 0 for v in z[-8:]) and any(v < 0 for v in z[-8:]),
)


class Charts:
    schema = "millwright.quality.v1.Finding"

    def __init__(self, job):
        self.kinds = job["kinds"]
        self.assets = job["assets"]

    def __call__(self, value, key, timestamp, headers, state):
        record = ProductionRecord.FromString(value)
        if record.WhichOneof("body") != "inspection":
            return []
        kind = self.kinds[self.assets[key]]
        findings = []
        for spec in kind["charts"]:
            if spec["characteristic"] != record.inspection.characteristic:
                continue
            chart = state.get(spec["name"]) or {
                "pending": [], "previous": None, "subgroups": 0, "locations": 0.0, "dispersions": 0.0, "limits": None, "memory": [], "out": False,
            }
            finding = self.add(spec, chart, record.inspection.value, key, kind["name"], record.time_us)
            if finding is not None:
                findings.append(finding.SerializeToString())
            state.set(spec["name"], chart)
        return findings

    def add(self, spec, chart, value, asset, kind, time_us):
        if not math.isfinite(value):
            return None
        pending = chart["pending"]
        pending.append(value)
        if len(pending) < spec["subgroup"]:
            return None
        chart["pending"] = []
        single = spec["type"] == "i-mr"
        location = sum(pending) / len(pending)
        previous = chart["previous"]
        dispersion = (math.nan if previous is None else abs(value - previous)) if single else max(pending) - min(pending)
        chart["previous"] = value
        limits = chart["limits"]
        rules, dispersion_out = [], False
        if limits is None:
            chart["subgroups"] += 1
            chart["locations"] += location
            if not math.isnan(dispersion):
                chart["dispersions"] += dispersion
            if chart["subgroups"] == spec["baseline"]:
                chart["limits"] = self.freeze(spec, chart, single)
        else:
            center, half, dispersion_center, lower, upper = limits
            z = chart["memory"]
            z.append(0.0 if location == center else 3 * (location - center) / half)
            del z[:-MEMORY]
            rules = [rule for rule in spec["rules"] if RULES[rule - 1](z)]
            dispersion_out = dispersion > upper or dispersion < lower
        active = bool(rules) or dispersion_out
        told = active or chart["out"]
        chart["out"] = active
        if not told:
            return None
        of_dispersion = dispersion_out and not rules
        if of_dispersion:
            shown, bounds = dispersion, (dispersion_center, lower, upper)
        else:
            shown, bounds = location, (center, center - half, center + half)
        name = spec["name"]
        if active:
            what = ("moving range" if single else "range") if of_dispersion else ("value" if single else "mean")
            why = [f"{TEXTS[rule - 1]} (Nelson rule {rule})" for rule in rules]
            if dispersion_out:
                why.append(f"{'moving range' if single else 'range'} beyond its limits")
            description = f"{name}: {what} {shown:.5g}, limits {bounds[1]:.5g} to {bounds[2]:.5g}: {'; '.join(why)}."
        else:
            description = f"{name}: in control again, {shown:.5g}."
        return quality.Finding(
            asset=asset, kind=kind, chart=f"{asset}/{name}", finding=quality.FINDING_KIND_CONTROL_RULE, chart_type=TYPES[spec["type"]],
            time_us=time_us, active=active, rules=rules, value=shown, center=bounds[0], lower_limit=bounds[1], upper_limit=bounds[2], description=description,
        )

    @staticmethod
    def freeze(spec, chart, single):
        n = 2 if single else spec["subgroup"]
        dispersion = chart["dispersions"] / (chart["subgroups"] - 1 if single else chart["subgroups"])
        sigma = dispersion / D2[n - 2]
        half = 3 * sigma / math.sqrt(spec["subgroup"])
        spread = 3 * sigma * D3[n - 2]
        return [chart["locations"] / chart["subgroups"], half, dispersion, max(0.0, dispersion - spread), dispersion + spread]
