"""What the template makes: user data as machines get it, ports, switches, limits."""
import base64
import fnmatch
import ipaddress
import itertools
import json
import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

import embed
from resolve import Template

HERE = pathlib.Path(__file__).parent


def user_data(template, name):
    return base64.b64decode(template.properties(name)["LaunchTemplateData"]["UserData"]).decode()


class TheTemplate(unittest.TestCase):
    def setUp(self):
        self.template = Template()

    def test_scripts_are_those_of_the_folder(self):
        self.assertEqual((HERE / "template.yaml").read_text(), embed.embedded((HERE / "template.yaml").read_text()), "run embed.py")
        for launch, name in [("WorkerTemplate", "join.sh"), ("MasterTemplate", "server.sh")]:
            text = user_data(self.template, launch)
            self.assertTrue(text.startswith(embed.script(name)))
            self.assertLess(len(text.encode()), 16_384, launch)

    def test_documents_are_what_the_scripts_read(self):
        node, = re.findall(r"^# autoscale-node: (\S+)$", user_data(self.template, "WorkerTemplate"), re.M)
        node = json.loads(base64.b64decode(node, validate=True))
        self.assertEqual((node["cluster"], node["server"], node["token_parameter"]), ("shop", "https://10.40.0.10:6443", "/asc/shop/node/join-token"))
        keys = set(re.search(r"DOCUMENT = \{([^}]*)\}", embed.script("join.sh"))[1].replace('"', "").split(", "))
        self.assertLessEqual(node.keys(), keys)
        server, = re.findall(r"^# autoscale-server: (\S+)$", user_data(self.template, "MasterTemplate"), re.M)
        server = json.loads(base64.b64decode(server, validate=True))
        variables = self.template.properties("Function")["Environment"]["Variables"]
        self.assertEqual(server["join"], variables["K3S_CLUSTER_TOKEN_PARAM"])
        self.assertEqual(server["api_token"], variables["K8S_API_TOKEN_PARAM"])
        self.assertEqual({server["api_ca"]}, {variables["K8S_CA_PARAM"], variables["PROM_CA_PARAM"]})
        self.assertEqual(server["prometheus_login"], variables["PROM_LOGIN_PARAM"])

    def manifests(self):
        """As the master unpacks them."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "part-001")
            path.write_text(user_data(self.template, "MasterTemplate"))
            unpack = "sed '1,/^# MANIFESTS$/d' \"$0\" | sed -n 's/^# | \\{0,1\\}//p' | base64 -d | gzip -dc"
            self.assertIn("sed '1,/^# MANIFESTS$/d' \"$0\" | sed -n 's/^# | \\{0,1\\}//p'", path.read_text())
            done = subprocess.run(["bash", "-c", unpack, path], capture_output=True, check=True)
        return list(yaml.safe_load_all(done.stdout))

    def named(self, kind, name):
        found, = [one for one in self.manifests() if one["kind"] == kind and one["metadata"]["name"] == name]
        return found

    def test_the_masters_manifests_come_out_again(self):
        found = self.manifests()
        ports = {port["nodePort"] for one in found if one["kind"] == "Service" and one["spec"].get("type") for port in one["spec"]["ports"]}
        variables = self.template.properties("Function")["Environment"]["Variables"]
        self.assertEqual(ports, {int(variables["PROM_NODEPORT"]), int(variables["PUSHGATEWAY_NODEPORT"])})
        prometheus = next(one for one in found if one["kind"] == "Deployment" and one["metadata"]["name"] == "prometheus")
        pod = prometheus["spec"]["template"]["spec"]
        self.assertEqual(pod["nodeSelector"], {"autoscale.local/role": "master"})
        self.assertIn("--storage.tsdb.retention.time=7d", pod["containers"][0]["args"])
        config = next(one for one in found if one["kind"] == "ConfigMap")["data"]["prometheus.yml"]
        self.assertEqual(yaml.safe_load(config)["global"]["scrape_interval"], "15s")
        enforced = {one["metadata"]["name"]: one["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] for one in found if one["kind"] == "Namespace"}
        for one in found:
            volumes = one["spec"]["template"]["spec"].get("volumes", []) if one["kind"] in ("Deployment", "DaemonSet") else []
            if any("hostPath" in volume for volume in volumes):
                self.assertEqual(enforced[one["metadata"]["namespace"]], "privileged", one["metadata"]["name"])
        account = next(one for one in found if one["kind"] == "ServiceAccount" and one["metadata"]["name"] == "autoscale")
        self.assertEqual(account["metadata"]["namespace"], "autoscale")

    def test_what_the_function_asks_prometheus_for_is_measured(self):
        signals = (HERE.parents[2] / "autoscale-kube/src/prometheus/signal.rs").read_text()
        asked = set(re.findall(r"\b((?:kube|node)_[A-Za-z_]+)\{", signals))
        self.assertGreaterEqual(len(asked), 5)
        pod = lambda kind, name: self.named(kind, name)["spec"]["template"]["spec"]["containers"][0]
        state = pod("Deployment", "kube-state-metrics")
        allowed, = [one.split("=", 1)[1] for one in state["args"] if one.startswith("--metric-allowlist=")]
        self.assertEqual(set(allowed.split(",")), {name for name in asked if name.startswith("kube_")})
        self.assertIn("--resources=pods", state["args"])
        collectors = {"node_cpu": "--collector.cpu", "node_memory": "--collector.meminfo"}
        for name in asked - set(allowed.split(",")):
            self.assertIn(collectors["_".join(name.split("_")[:2])], pod("DaemonSet", "node-exporter")["args"])

    def test_prometheus_reads_its_configuration_and_finds_its_targets(self):
        config = self.named("ConfigMap", "prometheus")["data"]["prometheus.yml"]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "prometheus.yml")
            check = lambda: subprocess.run(["promtool", "check", "config", "--syntax-only", path], capture_output=True, text=True, check=False)
            # Debian's package knows nothing of Kubernetes: all but the one field is checked.
            plain = yaml.safe_load(config)
            self.assertEqual(len([job.pop("kubernetes_sd_configs") for job in plain["scrape_configs"] if "kubernetes_sd_configs" in job]), 1)
            path.write_text(yaml.safe_dump(plain))
            done = check()
            self.assertEqual(done.returncode, 0, done.stderr)
            path.write_text(yaml.safe_dump(plain).replace("scrape_interval", "scrape_intervall"))
            self.assertNotEqual(check().returncode, 0, "promtool takes anything")
        targets = [target for job in yaml.safe_load(config)["scrape_configs"] for group in job.get("static_configs", []) for target in group["targets"]]
        self.assertEqual(len(targets), 2)
        for target in targets:
            name, namespace, port = re.fullmatch(r"([a-z-]+)\.([a-z-]+)\.svc:([0-9]+)", target).groups()
            service = self.named("Service", name)
            self.assertEqual(service["metadata"]["namespace"], namespace)
            self.assertIn(int(port), [one["port"] for one in service["spec"]["ports"]])
            labels = self.named("Deployment", name)["spec"]["template"]["metadata"]["labels"]
            self.assertLessEqual(service["spec"]["selector"].items(), labels.items())

    def test_what_accounts_may_do_in_the_cluster(self):
        found = self.manifests()
        roles = {one["metadata"]["name"]: one["rules"] for one in found if one["kind"] in ("Role", "ClusterRole")}
        may = {}
        for one in found:
            if one["kind"] in ("RoleBinding", "ClusterRoleBinding"):
                for subject in one["subjects"]:
                    may.setdefault(subject["name"], []).extend(roles[one["roleRef"]["name"]])
        self.assertEqual(set(may), {"autoscale", "prometheus", "kube-state-metrics"})
        verbs = {name: {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]} for name, rules in may.items()}
        self.assertEqual(verbs["kube-state-metrics"], {("pods", "list"), ("pods", "watch")})
        changes = {pair for pair in verbs["autoscale"] if pair[1] not in ("get", "list")}
        self.assertEqual(changes, {("nodes", "patch"), ("nodes", "delete"), ("pods/eviction", "create")})
        self.assertFalse({pair for pair in verbs["prometheus"] if pair[1] not in ("get", "list", "watch")})
        self.assertFalse(any("*" in pair or "secrets" in pair for pairs in verbs.values() for pair in pairs))
        guard = self.named("ValidatingAdmissionPolicy", "autoscale-nodes")["spec"]
        self.assertIn("system:serviceaccount:autoscale:autoscale", guard["matchConditions"][0]["expression"])
        self.assertEqual(self.named("ValidatingAdmissionPolicyBinding", "autoscale-nodes")["spec"]["validationActions"], ["Deny"])

    def test_who_reaches_whom(self):
        found = set()
        for name, resource in self.template.whole["Resources"].items():
            if resource["Type"] == "AWS::EC2::SecurityGroupIngress":
                rule = self.template.properties(name)
                self.assertEqual(rule["FromPort"], rule["ToPort"])
                found.add((rule["SourceSecurityGroupId"], rule["GroupId"], rule["IpProtocol"], rule["FromPort"]))
        function, master, worker = "FunctionGroup-id", "MasterGroup-id", "WorkerGroup-id"
        self.assertEqual(found, {
            (function, master, "tcp", 6443), (function, master, "tcp", 30090), (function, master, "tcp", 30091), (worker, master, "tcp", 6443),
            (master, worker, "tcp", 10250), (worker, worker, "tcp", 10250), (worker, master, "tcp", 10250),
            (master, worker, "udp", 8472), (worker, worker, "udp", 8472), (worker, master, "udp", 8472)})

    def test_the_function_leads_nowhere_but_to_endpoints(self):
        routes = [self.template.properties(name) for name, one in self.template.whole["Resources"].items() if one["Type"] == "AWS::EC2::Route"]
        self.assertNotIn("FunctionRoutes-id", [route["RouteTableId"] for route in routes])
        services = {self.template.properties(name)["ServiceName"].rsplit(".", 1)[1]
                    for name, one in self.template.whole["Resources"].items() if one["Type"] == "AWS::EC2::VPCEndpoint"}
        self.assertEqual(services, {"dynamodb", "s3", "ec2", "ssm"})

    def test_subnets_have_their_own_part_of_every_network_that_is_allowed(self):
        pattern = self.template.whole["Parameters"]["VpcCidr"]["AllowedPattern"]
        allowed = [size for size in range(33) if re.fullmatch(pattern, f"10.40.0.0/{size}")]
        self.assertEqual(allowed, [16, 17])
        for network in ["10.40.0.0/16", "10.40.0.0/17", "172.16.128.0/17"]:
            self.assertRegex(network, f"^{pattern}$")
            template = Template(VpcCidr=network)
            self.assertEqual(template.properties("Vpc")["CidrBlock"], network)
            named = [template.properties(name) for name, one in template.whole["Resources"].items() if one["Type"] == "AWS::EC2::Subnet"]
            subnets = [ipaddress.ip_network(subnet["CidrBlock"]) for subnet in named]
            self.assertEqual(len(subnets), 6)
            for subnet in subnets:
                self.assertTrue(subnet.subnet_of(ipaddress.ip_network(network)), (subnet, network))
            self.assertFalse([pair for pair in itertools.combinations(subnets, 2) if pair[0].overlaps(pair[1])])
        with self.assertRaisesRegex(ValueError, "expected 8"):
            Template(VpcCidr="10.40.0.0/18").properties("NodeSubnetA")
        zones = {name: self.template.properties(name)["AvailabilityZone"] for name in ["NodeSubnetA", "NodeSubnetB", "NodeSubnetC", "FunctionSubnetA", "FunctionSubnetB"]}
        self.assertEqual([zone[-1] for zone in zones.values()], ["a", "b", "c", "a", "b"])

    def test_architectures_are_parameters_and_nothing_else(self):
        parameters = self.template.whole["Parameters"]
        self.assertEqual(self.template.properties("Function")["Architectures"], ["arm64"])
        self.assertEqual(Template(FunctionArchitecture="x86_64").properties("Function")["Architectures"], ["x86_64"])
        self.assertEqual(parameters["FunctionArchitecture"]["AllowedValues"], ["arm64", "x86_64"])
        self.assertTrue(parameters["Image"]["Default"].endswith("-x86_64"))
        # Neither in a resource, nor in a script, nor in what the master starts.
        named = re.compile(r"x86_64|amd64|arm64|aarch64")
        whole = json.dumps([self.template.whole["Resources"], self.template.whole["Outputs"], self.manifests()])
        self.assertIsNone(named.search(whole))
        images = {one["image"] for found in self.manifests() if found["kind"] in ("Deployment", "DaemonSet") for one in found["spec"]["template"]["spec"]["containers"]}
        self.assertEqual(len(images), 4)
        for image in images:
            self.assertRegex(image, r"^[a-z0-9./-]+:v[0-9.]+$", "a tag of many architectures, not the digest of one")
        section, = re.findall(r"^## On arm64\n(.*?)^## ", (HERE / "README.md").read_text(), re.M | re.S)
        asked = dict(re.findall(r"\b([A-Z][A-Za-z0-9]+)=(\S+)", re.search(r"```sh\n(.*?)```", section, re.S)[1]))
        self.assertLessEqual(asked.keys(), parameters.keys())
        self.assertEqual({"Image", "MasterType", "WorkerType", "WorkerTypes", "K3sBinary"} - asked.keys(), set())
        arm = Template(**asked)
        variables = arm.properties("Function")["Environment"]["Variables"]
        for template in [self.template, arm]:
            types = template.values["WorkerTypes"].split(",")
            self.assertTrue(any(fnmatch.fnmatchcase(template.values["WorkerType"], one) for one in types), types)
        self.assertEqual((arm.properties("Master")["InstanceType"], variables["WORKER_INSTANCE_TYPE"]), (asked["MasterType"], asked["WorkerType"]))
        launch, = [one for one in arm.properties("FunctionRole")["Policies"][0]["PolicyDocument"]["Statement"] if one["Sid"] == "LaunchVm"]
        self.assertEqual(launch["Condition"]["StringLike"]["ec2:InstanceType"], asked["WorkerTypes"].split(","))
        self.assertIn(f'"binary":{{"url":"{asked["K3sBinary"]}"', base64.b64decode(re.findall(r"^# autoscale-node: (\S+)$", user_data(arm, "WorkerTemplate"), re.M)[0]).decode())

    def test_machines(self):
        self.assertIs(self.template.properties("Master")["DisableApiTermination"], True)
        for name in ["MasterTemplate", "WorkerTemplate"]:
            metadata = self.template.properties(name)["LaunchTemplateData"]["MetadataOptions"]
            self.assertEqual((metadata["HttpTokens"], metadata["HttpPutResponseHopLimit"]), ("required", 1))
        worker = self.template.properties("WorkerTemplate")["LaunchTemplateData"]
        self.assertEqual(worker["MetadataOptions"]["InstanceMetadataTags"], "enabled")
        self.assertNotIn("NetworkInterfaces", worker, "the function names the subnet")
        self.assertNotIn("TagSpecifications", worker, "tags are those of the order")
        tags = {tag["Key"]: tag["Value"] for tag in self.template.properties("Master")["Tags"]}
        variables = self.template.properties("Function")["Environment"]["Variables"]
        self.assertEqual(tags[variables["MASTER_TAG_KEY"]], variables["MASTER_TAG_VALUE"])
        self.assertEqual(tags[variables["CLUSTER_TAG_KEY"]], variables["CLUSTER_TAG_VALUE"])

    def test_tables(self):
        for name, keys in [("StateTable", ["pk"]), ("LogsTable", ["pk", "sk"])]:
            table = self.template.properties(name)
            self.assertEqual([key["AttributeName"] for key in table["KeySchema"]], keys)
            self.assertTrue(table["SSESpecification"]["SSEEnabled"] and table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"])
            self.assertEqual(self.template.whole["Resources"][name]["DeletionPolicy"], "Retain")
        self.assertEqual(self.template.properties("LogsTable")["TimeToLiveSpecification"]["AttributeName"], "expires")
        self.assertNotIn("TimeToLiveSpecification", self.template.properties("StateTable"), "a record that expires is lost")

    def test_switches(self):
        rules = [name for name, one in self.template.whole["Resources"].items() if one["Type"] in ("AWS::Events::Rule", "AWS::Lambda::Permission")]
        self.assertEqual(len(rules), 8)
        without = Template(CreateRules="false", CreateParameters="false", ThirdZone="false", NodeEgress="none")
        for name in rules:
            self.assertTrue(self.template.exists(name))
            self.assertFalse(without.exists(name))
        self.assertIn('"publish":"false"', base64.b64decode(re.findall(r"^# autoscale-server: (\S+)$", user_data(without, "MasterTemplate"), re.M)[0]).decode())
        self.assertEqual(without.properties("Function")["Environment"]["Variables"]["WORKER_SUBNET_IDS"], "NodeSubnetA-id,NodeSubnetB-id")
        self.assertFalse(without.exists("Nat") or without.exists("NodeOut"))
        for name in ["Tick", "SpotInterruption", "Rebalance", "Health"]:
            target, = self.template.properties(name)["Targets"]
            self.assertTrue(target["RetryPolicy"]["MaximumEventAgeInSeconds"] and target["DeadLetterConfig"]["Arn"])
        self.assertEqual(self.template.properties("Tick")["ScheduleExpression"], "rate(2 minutes)")


if __name__ == "__main__":
    unittest.main()
