"""What must hold for a demonstration to count as one."""

MODEL_NAME = "digits"
DEVICES = 24
SEED = 7
SAMPLES_PER_SECOND = 20
SAMPLES_PER_PACK = 20
PACKS_PER_PHASE = 4
DRIFT = {"transform": "invert", "strength": 1.0}  # chalk on a board where there was ink on paper

MIN_BOARD_TYPES = 8
MIN_VARIANTS = 5
MIN_SIZE_RATIO = 10
MIN_CONFIRMED = 20
MIN_DISTINCT_VARIANTS = 3
MIN_ACCURACY_BEFORE = 0.95
MIN_FALL = 0.15
MIN_SHARE_REGAINED = 0.5
NEEDED_CONSTRAINTS = frozenset({"flash", "ram", "operators"})
