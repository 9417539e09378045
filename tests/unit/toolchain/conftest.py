import pytest


@pytest.fixture(scope="session", autouse=True)
def private_kernel_cache(tmp_path_factory):
    """TileLang reads the variable at each compilation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TILELANG_CACHE_DIR", str(tmp_path_factory.mktemp("kernels")))
        yield
