"""What a kernel file says about itself is read, removed and written without touching the kernel."""

from tilewright import header
from tilewright.records import Candidate

NEW = '''"""
Problem Name: 10_Conv
Workload: large
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.604, 'gpu': 'X'}
Measured By: tilewright
"""
x = 1
'''
OLD = '''"""Problem Name: 23_Softmax
Evaluation Result:
compiled=True correctness=True metadata={'hardware': 'H100'} runtime=0.1
runtime_stats={'mean': 0.1, 'fast_p_results': {}, 'speedup_ratio': 0.0312}
"""
import torch
'''


def test_a_header_is_read() -> None:
    found = header.read_header(NEW)
    assert (found.problem, found.workload, found.speedup_ratio) == ("10_Conv", "large", 0.604)


def test_a_header_that_older_tools_wrote_over_several_lines_is_read() -> None:
    found = header.read_header(OLD)
    assert (found.problem, found.speedup_ratio, found.correct) == ("23_Softmax", 0.0312, True)


def test_a_ratio_in_the_file_name_is_read() -> None:
    assert header.read_header("import torch\n", "2_10_optimized_1.234x").speedup_ratio == 1.234
    assert header.read_header("import torch\n", "2_10_optimized_1.234x_2").speedup_ratio == 1.234


def test_a_kernel_without_a_number_has_none() -> None:
    assert header.read_header('"""Problem Name: 1_A"""\n').speedup_ratio is None
    assert header.read_header("x = 'speedup_ratio: 9'\n").speedup_ratio is None


def test_an_incorrect_kernel_has_no_speedup() -> None:
    text = '"""\nEvaluation Result: compiled=True correctness=False runtime_stats={\'speedup_ratio\': 3.0}\n"""\n'
    assert header.read_header(text).speedup_ratio is None


def test_an_estimate_is_no_speedup() -> None:
    text = '"""Problem Name: 1_A\nEstimated Result: estimated, not measured: est. 0.1 ms\n"""\n'
    found = header.read_header(text, "1_1_candidate_est")
    assert found.speedup_ratio is None and found.estimated


def test_a_header_with_the_kernel_s_id_alone_is_believed_of_this_kernel_and_of_no_other() -> None:
    for kernel in ("class ModelNew: ...\n", '"""Problem Name: 1_A"""\nclass ModelNew: ...\n'):
        by = f"Measured By: tilewright 0.1.0; kernel {Candidate(kernel).id}; trust B: noisy"
        text = header.with_result(kernel, "1_A", "", [header.result_line({"speedup_ratio": 2.0}), by])
        assert not header.read_header(text).changed
        assert header.read_header(text.replace("...", "pass")).changed
    assert not header.read_header(NEW.replace("x = 1", "x = 2")).changed  # nothing says what was measured


def test_results_are_taken_out_and_their_lines_counted() -> None:
    text, dropped = header.without_result(NEW)
    assert dropped == 2
    assert text == '"""\nProblem Name: 10_Conv\nWorkload: large\n"""\nx = 1\n'


def test_a_file_with_results_written_in_holds_the_same_kernel() -> None:
    bare = '"""Problem Name: 10_Conv"""\nx = 1\n'
    written = header.with_result(bare, "10_Conv", "", [header.result_line({"speedup_ratio": 2.0})])
    assert header.read_header(written).speedup_ratio == 2.0
    again = header.with_result(written, "10_Conv", "", [header.result_line({"speedup_ratio": 3.0})])
    assert header.read_header(again).speedup_ratio == 3.0
    assert header.without_result(again)[0] == header.without_result(written)[0]
    assert header.read_stats(again) == {"speedup_ratio": 3.0}


def test_a_kernel_without_docstring_gets_one() -> None:
    text = header.with_result("import torch\n", "P", "large", [header.result_line({"speedup_ratio": 1.0})])
    assert header.read_header(text).workload == "large"
    compile(text, "k", "exec")


def test_the_kernel_an_optimised_file_grew_from() -> None:
    assert header.base_stem("2_10_optimized_1.234x_3") == "2_10"
    assert header.base_stem("2_10_candidate_est") == "2_10"
    assert header.base_stem("1_38_large") == "1_38_large"


def test_a_ratio_over_something_else_than_eager_pytorch_does_not_count_as_one() -> None:
    stats: dict[str, object] = {"speedup_ratio": 1.2, "baseline": "torch.compile"}
    text = f'"""Problem Name: P\n{header.result_line(stats)}\n"""\n'
    assert header.read_header(text, "2_10_optimized_1.200x").speedup_ratio is None
    eager = text.replace("torch.compile", "PyTorch eager")
    assert header.read_header(eager).speedup_ratio == 1.2
