"""Dashboards, alerts and alarms against the catalogue of metrics; every expression is parsed by promtool."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

import resolve

HERE = pathlib.Path(__file__).parent
CATALOGUE = HERE.parents[2] / "autoscale-core/src/driver/measures/catalogue.rs"
VARIABLES = {"$cluster": "shop", "$pool": "web", "$cpu_up": "70", "$cpu_down": "30"}
FOREIGN = {"node_cpu_seconds_total"}


def catalogue():
    """Each metric's labels."""
    text = CATALOGUE.read_text().split("pub const ALL", 1)[1]
    found = re.findall(r'(counter|gauge|time|histogram)\(\s*"([a-z_]+)",\s*&\[([^\]]*)\]', text)
    count = int(re.search(r"\[Metric; (\d+)\]", text)[1])
    assert len(found) == count, f"{len(found)} of {count} metrics can be read"
    return {name: {*re.findall(r'"([a-z]+)"', labels), "cluster"} for _, name, labels in found}


def dashboards():
    return {path.name: json.loads(path.read_text()) for path in sorted((HERE / "dashboards").glob("*.json"))}


def expressions():
    """Where an expression stands, and the expression."""
    for file, board in dashboards().items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{file}: {panel['title']}", target["expr"]
    for group in yaml.safe_load((HERE / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


class Watch(unittest.TestCase):
    def test_names_and_labels_are_those_of_the_catalogue(self):
        known, used = catalogue(), set()
        for place, expression in expressions():
            with self.subTest(place=place, expression=expression):
                names = {re.sub("_(sum|count)$", "", name) if name not in known else name
                         for name in re.findall(r"\b(?:autoscale|node)_[a-z_]+\b", re.sub(r'"[^"]*"|\{\{.*?\}\}', "", expression))}
                names -= {"node"}
                self.assertLessEqual(names, known.keys() | FOREIGN)
                self.assertTrue(names or expression.startswith("vector("))
                used |= names
                for name, matchers in re.findall(r"\b(autoscale_[a-z_]+)\{([^}]*)\}", expression):
                    labels = set(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', "", matchers)))
                    self.assertLessEqual(labels, known[re.sub("_(sum|count)$", "", name) if name not in known else name])
        self.assertEqual(known.keys() - used, set(), "a metric that nobody looks at")

    def test_every_expression_is_one(self):
        self.assertIsNotNone(shutil.which("promtool"), "promtool is not installed: .ci/prometheus --install")
        rules = []
        for at, (_, expression) in enumerate(expressions()):
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            self.assertNotIn("$", expression)
            rules.append({"record": f"checked_{at}", "expr": expression})
        self.assertGreater(len(rules), 40)
        with tempfile.TemporaryDirectory() as folder:
            def check(rules):
                path = pathlib.Path(folder, "rules.yaml")
                path.write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
                return subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)
            done = check(rules)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotEqual(check([{"record": "x", "expr": "sum by (x"}]).returncode, 0, "promtool takes anything")

    def test_dashboards_can_be_imported(self):
        boards = dashboards()
        self.assertEqual(set(boards), {"cluster-health.json", "decisions.json", "zones.json", "spot.json"})
        self.assertEqual(len({board["uid"] for board in boards.values()}), len(boards))
        for name, board in boards.items():
            known = {variable["name"] for variable in board["templating"]["list"]}
            used = set(re.findall(r"\$\{?([a-z_]+)", json.dumps(board))) - {"__all"}
            self.assertLessEqual(used - {""}, known, name)
            ids = [panel["id"] for panel in board["panels"]]
            self.assertEqual(len(ids), len(set(ids)))
            cells = [(panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y) for panel in board["panels"]
                     for x in range(panel["gridPos"]["w"]) for y in range(panel["gridPos"]["h"])]
            self.assertEqual(len(cells), len(set(cells)), f"panels of {name} overlap")
            self.assertLess(max(x for x, _ in cells), 24)

    def test_every_alert_has_a_runbook_and_a_test(self):
        headings = {line[3:].strip().lower() for line in (HERE / "runbooks.md").read_text().splitlines() if line.startswith("## ")}
        rules = yaml.safe_load((HERE / "alerts.yaml").read_text())["groups"][0]["rules"]
        self.assertEqual({rule["alert"].lower() for rule in rules}, headings)
        tests = yaml.safe_load((HERE / "alerts_test.yaml").read_text())["tests"]
        for rule in rules:
            self.assertEqual(rule["annotations"]["runbook"], f"runbooks.md#{rule['alert'].lower()}")
            fired = [case for test in tests for case in test["alert_rule_test"] if case["alertname"] == rule["alert"] and case["exp_alerts"]]
            self.assertTrue(fired, rule["alert"])
            self.assertTrue(all(any(case["alertname"] == rule["alert"] for case in test["alert_rule_test"]) for test in tests))

    def test_alarms_name_metrics_and_runbooks(self):
        template = resolve.Template()
        known, runbooks = catalogue(), (HERE / "runbooks.md").read_text()
        for name, resource in template.whole["Resources"].items():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                alarm = template.properties(name)
                self.assertEqual(alarm["AlarmActions"], ["Alarms-id"], name)
                if alarm["Namespace"] == "Autoscale":
                    dimensions = {one["Name"] for one in alarm["Dimensions"]}
                    self.assertEqual(dimensions, known[alarm["MetricName"]], "a number for CloudWatch has all its labels")
                for runbook in re.findall(r"runbooks\.md, (\w+)", alarm["AlarmDescription"]):
                    self.assertIn(f"## {runbook}", runbooks)


if __name__ == "__main__":
    unittest.main()
