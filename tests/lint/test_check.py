# SPDX-License-Identifier: Apache-2.0
"""Each rule of check.py finds a breach and leaves a good file alone."""

import pathlib

import pytest

import sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check

LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"
GUARD = "#ifndef EOIP_MODEL_X_H_\n#define EOIP_MODEL_X_H_\n"
REGISTRY = "py" + "pi.org"


def findings(monkeypatch, tmp_path, rule, name, content):
    monkeypatch.setattr(check, "ROOT", tmp_path)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return list(check.RULES[rule]([pathlib.Path(name)]))


@pytest.mark.parametrize("rule,name,content", [
    ("layering", "agent/model/x.h", '#include "plan/plan.h"\n'),
    ("layering", "agent/plan/x.cc", "#include <linux/if.h>\n"),
    ("layering", "agent/store/x.cc", '#include "eoip/v1/tunnel.pb.h"\n'),
    ("layering", "agent/tapd/x.cc", '#include "service/convert.h"\n'),
    ("spdx", "agent/model/x.cc", "int x;\n"),
    ("spdx", "kmod/x.c", LICENCE),
    ("spdx", "agent/model/x.cc", "// SPDX-License-Identifier: GPL-2.0-only\n"),
    ("forbidden", "README.md", f"see {REGISTRY}\n"),
    ("guards", "agent/model/x.h", "#pragma once\n"),
    ("readmes", "agent/model/x.h", ""),
    ("lengths", "agent/model/x.cc", "\n" * 601),
    ("style", "agent/model/x.cc", "int   x ;\n"),
    ("shell", "deploy/x.sh", "#!/bin/bash\ncd $1\nrm -rf $2/*\n"),
])
def test_a_breach_is_found(monkeypatch, tmp_path, rule, name, content):
    assert findings(monkeypatch, tmp_path, rule, name, content)


@pytest.mark.parametrize("rule,name,content", [
    ("layering", "agent/plan/x.h", '#include "model/tunnel.h"\n'),
    ("layering", "agent/service/x.h", '#include "eoip/v1/tunnel.pb.h"\n'),
    ("spdx", "agent/model/x.cc", LICENCE),
    ("guards", "agent/model/x.h", LICENCE + GUARD),
    ("lengths", "agent/model/x.cc", "\n" * 600),
    ("style", "agent/model/x.cc", "int x;\n"),
    ("shell", "deploy/x.sh", '#!/bin/bash\ncd "$1" || exit 1\n'),
])
def test_a_good_file_passes(monkeypatch, tmp_path, rule, name, content):
    assert findings(monkeypatch, tmp_path, rule, name, content) == []
