"""A model of the money, and the product driven beside it: the same steps, and after each the same books."""

import pytest

# So that a difference is shown, and not only that there is one.
pytest.register_assert_rewrite("tests.model.world")
