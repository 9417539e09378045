"""Which rules look at a candidate, and in what order they are asked.

One file a rule. A rule outside this table comes from an entry point or is handed to
`PerformanceAnalyzer(rules=...)`.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from tilewright.analysis.rules.accumulator_stored_directly import AccumulatorStoredDirectly
from tilewright.analysis.rules.atomic_per_element import AtomicPerElement
from tilewright.analysis.rules.bank_conflicts import BankConflicts
from tilewright.analysis.rules.barrier_chain import BarrierChain
from tilewright.analysis.rules.dtype_round_trips import DtypeRoundTrips
from tilewright.analysis.rules.exact_divisions import ExactDivisions
from tilewright.analysis.rules.extra_passes import ExtraPasses
from tilewright.analysis.rules.few_threads import FewThreads
from tilewright.analysis.rules.fp64_arithmetic import Fp64Arithmetic
from tilewright.analysis.rules.glue_kernels import GlueKernels
from tilewright.analysis.rules.host_dominates import HostDominates
from tilewright.analysis.rules.kernel_built_in_forward import KernelBuiltInForward
from tilewright.analysis.rules.l2_misses import L2Misses
from tilewright.analysis.rules.launch_bound import LaunchBound
from tilewright.analysis.rules.launch_gaps import LaunchGaps
from tilewright.analysis.rules.launches_in_a_loop import LaunchesInALoop
from tilewright.analysis.rules.layout_copies import LayoutCopies
from tilewright.analysis.rules.library_compute import LibraryCompute
from tilewright.analysis.rules.little_in_flight import LittleInFlight
from tilewright.analysis.rules.little_work_per_thread import LittleWorkPerThread
from tilewright.analysis.rules.local_arrays import LocalArrays
from tilewright.analysis.rules.low_occupancy import LowOccupancy
from tilewright.analysis.rules.matmul_without_tensor_cores import MatmulWithoutTensorCores
from tilewright.analysis.rules.narrow_accesses import NarrowAccesses
from tilewright.analysis.rules.no_pipelining import NoPipelining
from tilewright.analysis.rules.no_shared_reuse import NoSharedReuse
from tilewright.analysis.rules.reduction_every_step import ReductionEveryStep
from tilewright.analysis.rules.redundant_work import RedundantWork
from tilewright.analysis.rules.register_spills import RegisterSpills
from tilewright.analysis.rules.scalar_loads import ScalarLoads
from tilewright.analysis.rules.serial_reduction import SerialReduction
from tilewright.analysis.rules.small_matmul_tile import SmallMatmulTile
from tilewright.analysis.rules.special_functions import SpecialFunctions
from tilewright.analysis.rules.staged_through_registers import StagedThroughRegisters
from tilewright.analysis.rules.tail_wave import TailWave
from tilewright.analysis.rules.too_few_blocks import TooFewBlocks
from tilewright.analysis.rules.uncoalesced_access import UncoalescedAccess
from tilewright.analysis.rules.unfused_epilogue import UnfusedEpilogue
from tilewright.analysis.rules.unfused_kernels import UnfusedKernels
from tilewright.analysis.rules.waits_for_gpu import WaitsForGpu
from tilewright.analysis.rules.warp_level_products import WarpLevelProducts
from tilewright.analysis.rules.weights_prepared_in_forward import WeightsPreparedInForward
from tilewright.analysis.rules.wide_operands import WideOperands
from tilewright.protocols import Rule

RULES: tuple[type[Rule], ...] = (
    # memory
    UncoalescedAccess,
    NoSharedReuse,
    ExtraPasses,
    LittleWorkPerThread,
    ScalarLoads,
    BankConflicts,
    NarrowAccesses,
    AccumulatorStoredDirectly,
    LocalArrays,
    LittleInFlight,
    L2Misses,
    # compute
    MatmulWithoutTensorCores,
    SmallMatmulTile,
    WideOperands,
    RegisterSpills,
    RedundantWork,
    Fp64Arithmetic,
    WarpLevelProducts,
    ExactDivisions,
    SpecialFunctions,
    # parallelism
    NoPipelining,
    TooFewBlocks,
    TailWave,
    LowOccupancy,
    FewThreads,
    StagedThroughRegisters,
    BarrierChain,
    # algorithmic
    SerialReduction,
    ReductionEveryStep,
    AtomicPerElement,
    UnfusedKernels,
    UnfusedEpilogue,
    LibraryCompute,
    # host
    KernelBuiltInForward,
    DtypeRoundTrips,
    WeightsPreparedInForward,
    LayoutCopies,
    WaitsForGpu,
    LaunchesInALoop,
    LaunchBound,
    LaunchGaps,
    GlueKernels,
    HostDominates,
)


def built_in_rules() -> list[Rule]:
    return [rule() for rule in RULES]


def installed_rules() -> list[Rule]:
    """The built-in rules, and those that other packages offer as entry points in the group "tilewright.rules"."""
    return [*built_in_rules(), *(point.load()() for point in entry_points(group="tilewright.rules"))]
