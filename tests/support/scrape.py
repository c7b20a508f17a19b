# SPDX-License-Identifier: Apache-2.0
"""Prometheus's side: scrapes a /metrics and takes nothing that is not right."""

import re
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from lab import in_netns


class Scrape:
    """What one scrape gave."""

    def __init__(self, text):
        self.text = text
        self.types = {}
        self.values = {}
        for family in text_string_to_metric_families(text):
            assert family.name not in self.types, f"two families {family.name}"
            assert family.documentation, f"{family.name} has no help"
            self.types[family.name] = family.type
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self.values, f"twice: {key}"
                self.values[key] = sample.value
        self._check()

    def _check(self):
        assert "unknown" not in self.types.values(), self.types
        for name, kind in self.types.items():
            assert re.fullmatch(r"[a-z][a-z0-9_]*", name), name
            if kind == "histogram":
                self._check_histogram(name)
        for (name, _), value in self.values.items():
            if name.endswith("_total"):
                assert value >= 0, name

    def _check_histogram(self, name):
        series = {}
        for (sample, labels), value in self.values.items():
            if sample == name + "_bucket":
                labels = dict(labels)
                bound = float(labels.pop("le"))
                series.setdefault(frozenset(labels.items()), []).append((bound, value))
        assert series, name
        for labels, buckets in series.items():
            counts = [count for _, count in sorted(buckets)]
            assert counts == sorted(counts), (name, labels)
            assert max(buckets)[0] == float("inf"), (name, labels)
            assert counts[-1] == self.values[name + "_count", labels], (name, labels)

    def get(self, name, **labels):
        """The value, or None."""
        return self.values.get((name, frozenset(labels.items())))

    def by(self, name, label, **labels):
        """{value of label: value} of the series that have labels besides."""
        found = {}
        for (sample, have), value in self.values.items():
            rest = dict(have)
            if sample == name and label in rest:
                key = rest.pop(label)
                if rest == labels:
                    found[key] = value
        return found


def scrape(ns, address, timeout_s=10):
    """Scrapes http://address/metrics from the namespace."""
    def get():
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=timeout_s) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/plain"), answer.headers
            return answer.read().decode()
    return Scrape(in_netns(ns, get))
