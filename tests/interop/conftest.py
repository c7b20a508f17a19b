# SPDX-License-Identifier: Apache-2.0
import pytest

import lab as lab_module


@pytest.fixture
def lab(tmp_path):
    made = lab_module.Lab(tmp_path)
    yield made
    made.close()
