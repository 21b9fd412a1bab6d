"""Random needs and capacities for property tests, absent facts included."""

from hypothesis import strategies as st

from ontology.facts import (
    Answer,
    Capacity,
    Figure,
    Limits,
    Metric,
    Need,
    RuntimeId,
    Sensor,
    SensorNeed,
    Status,
    Verdict,
)

BOARDS = ["nano", "esp32"]
KINDS = ["microphone", "camera"]
OPERATORS = ["CONV_2D", "SOFTMAX", "ATAN2"]

maybe_bytes = st.none() | st.integers(0, 5)
rates = st.none() | st.sampled_from([1.0, 100.0, 16000.0])
shapes = st.none() | st.lists(st.integers(1, 3), max_size=3).map(tuple)
operators = st.none() | st.dictionaries(st.sampled_from(OPERATORS), st.integers(1, 3))
dtypes = st.none() | st.frozensets(st.sampled_from(["int8", "float32"]))
runtimes = st.builds(
    RuntimeId,
    name=st.sampled_from(["tflite-micro", "tinyengine"]),
    version=st.sampled_from(["", "1"]),
    kernels=st.sampled_from(["", "reference", "cmsis_nn"]),
)
figures = st.builds(
    Figure,
    metric=st.sampled_from(Metric),
    value=st.integers(0, 5).map(float) | st.just(float("nan")),
    status=st.sampled_from(Status),
    runtime=st.none() | runtimes,
    board=st.none() | st.sampled_from(BOARDS),
)
needs = st.builds(
    Need,
    variant=st.text("abc", min_size=1, max_size=3),
    flash_bytes=maybe_bytes,
    figures=st.lists(figures, max_size=4).map(tuple),
    operators=operators,
    dtypes=dtypes,
    sensors=st.none()
    | st.lists(
        st.builds(SensorNeed, kind=st.sampled_from(KINDS), rate_hz=rates, shape=shapes), max_size=2
    ).map(tuple),
    runtimes=st.none() | st.frozensets(st.sampled_from(["tflite-micro", "tinyengine"])),
)
# A device that has not described itself, and devices that say some of it.
capacities = st.just(Capacity(profile="")) | st.builds(
    Capacity,
    profile=st.text("xyz", min_size=1, max_size=3),
    slot_bytes=maybe_bytes,
    arena_budget_bytes=maybe_bytes,
    runtime=st.none() | runtimes,
    operators=operators,
    dtypes=dtypes,
    sensors=st.none()
    | st.lists(
        st.builds(Sensor, kind=st.sampled_from(KINDS), max_rate_hz=rates, shape=shapes), max_size=2
    ).map(tuple),
    board=st.none() | st.sampled_from(BOARDS),
    assumed=st.booleans(),
)
limits = st.builds(
    Limits,
    latency_ms=st.none() | st.just(3.0),
    energy_mj=st.none() | st.just(3.0),
    accuracy=st.none() | st.just(3.0),
)


def edges_for(verdict: Verdict) -> set[str]:
    """The edges that one verdict should leave in the graph, worked out from its reasons."""
    names = {Answer.FITS: {"fits"}, Answer.UNKNOWN: {"unknownFor"}, Answer.DOES_NOT_FIT: set()}
    outcome = {True: None, False: "fails", None: "unknown"}
    reasons = ((outcome[r.holds], r.constraint.value.capitalize()) for r in verdict.reasons)
    return names[verdict.answer] | {f"{verb}{name}" for verb, name in reasons if verb}
