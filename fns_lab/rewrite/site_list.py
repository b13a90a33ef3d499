"""List the sites of a model while rules are applied to it (`lower` with `list_sites`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import onnx_ir as ir
from onnxscript.rewriter import MatchContext, MatchResult

from fns_lab.opset.nodes import NodeError, name_of
from fns_lab.rewrite.rule import LoweringRun, Rule
from fns_lab.rewrite.sites import Site, in_order, key_of, site_of


@dataclass
class SiteList:
    """The sites of one run of `lower`, by key."""

    run: LoweringRun
    sites: dict[str, Site] = field(default_factory=dict)

    def check_of(self, rule: Rule) -> Callable[..., MatchResult]:
        """Return the rule's check, extended: it lists sites, and matches none that has no choice yet.

        The nodes of such a site stay unmodified, so that the next rules can list themselves too.
        """

        def check(context: MatchContext, **bindings: ir.Value | None) -> MatchResult:
            if not rule.WORKS_AROUND and _guard_holds(rule, bindings):
                site = self._add(rule, context.nodes)
                if site is not None and site.key not in self.run.choices:
                    return MatchResult().fail("no rule is chosen for this site yet")
            return rule.check(context, **bindings)

        return check

    def _add(self, rule: Rule, nodes: Sequence[ir.Node]) -> Site | None:
        key = key_of(nodes)
        site = self.sites.get(key) or site_of(nodes, self.run.opset)
        if site is not None:
            self.sites[key] = site
            site.add(rule.NAME, name_of(in_order(nodes)[-1].outputs[0]))
        return site


def _guard_holds(rule: Rule, bindings: dict[str, ir.Value | None]) -> bool:
    try:
        rule.guard(**bindings)
    except NodeError:
        return False
    return True
