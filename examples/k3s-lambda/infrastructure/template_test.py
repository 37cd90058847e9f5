"""What the template makes: user data as machines get it, ports, switches, limits."""
import base64
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

    def test_the_masters_manifests_come_out_again(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "part-001")
            path.write_text(user_data(self.template, "MasterTemplate"))
            unpack = "sed '1,/^# MANIFESTS$/d' \"$0\" | sed -n 's/^# | \\{0,1\\}//p' | base64 -d | gzip -dc"
            self.assertIn("sed '1,/^# MANIFESTS$/d' \"$0\" | sed -n 's/^# | \\{0,1\\}//p'", path.read_text())
            done = subprocess.run(["bash", "-c", unpack, path], capture_output=True, check=True)
        found = list(yaml.safe_load_all(done.stdout))
        ports = {port["nodePort"] for one in found if one["kind"] == "Service" for port in one["spec"]["ports"]}
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
