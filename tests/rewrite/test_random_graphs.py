"""Whatever rule, shape, opset and attributes are drawn: the lowered model equals the original in ONNX Runtime."""

from hypothesis import HealthCheck, given, settings

from fns_lab.rewrite.rules import RULES
from tests.random_models import CASES, NETWORK, Case, cases, judge


def test_every_rule_has_its_random_models():
    assert list(CASES) == [*(rule.NAME for rule in RULES), NETWORK]


@settings(max_examples=200, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cases())
def test_lowered_equals_original_within_the_rules_fidelity(case: Case):
    verdict = judge(case)
    assert verdict.error <= verdict.limit, f"{case.rule} for {case.target}: {verdict}"
