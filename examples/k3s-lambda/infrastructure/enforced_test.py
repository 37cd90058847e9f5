"""The names of the roles' actions, against a server that enforces them: every call that is made is let through, without its action it is
not, and what is not named is not either. Conditions are the matter of policy_test.py: this server knows few of their keys.
"""
import copy
import os
import pathlib
import re
import sys
import unittest

import enforcing
from botocore import xform_name
from evaluator import listed

HERE = pathlib.Path(__file__).parent
TAGS = [{"Key": key, "Value": value} for key, value in {"asc:cluster": "shop", "asc:role": "worker", "k3s-cluster": "shop", "k3s-role": "worker"}.items()]
# Keys that the server knows nothing of. It would take them for keys that are not there, and refuse: they are taken out of what is allowed,
# and `test_no_more_is_taken_out_than_has_to_be` finds out when that is not needed any more. `aws:RequestedRegion` and `aws:RequestTag` of
# CreateTags stay, and so do all resources but this one: for tags the server asks for `*` rather than for what is tagged.
UNKNOWN_KEYS = {"aws:ResourceTag/asc:cluster", "aws:ResourceTag/asc:role", "aws:ResourceTag/k3s-cluster", "aws:ResourceTag/k3s-role",
                "ec2:CreateAction", "dynamodb:LeadingKeys", "kms:ViaService"}
UNKNOWN_RESOURCES = {"TagOnlyAtBirth"}
# Statements that the server never asks: for a launch it wants one permission on the subnet and none on the machine, its parts, its tags
# and the role that it gets. `test_what_is_never_asked_for` finds out when it does.
NEVER_ASKED = {("LaunchVm", "ec2:RunInstances"), ("LaunchParts", "ec2:RunInstances"), ("Pass", "iam:PassRole")}
# Calls that the server has not got. It enforces policies before it finds that out, and says this when they are allowed.
NOT_THERE = {"AssignPrivateIpAddresses", "UnassignPrivateIpAddresses", "ModifyInstanceAttribute"}


def launch(world, subnet="NodeSubnetB"):
    """As the library asks for it, for a machine on spot."""
    kinds = ["instance", "volume", "network-interface", "spot-instances-request"]
    return {"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.large", "MinCount": 1, "MaxCount": 1, "ClientToken": world.new_name(),
            "SubnetId": world.subnets[subnet], "SecurityGroupIds": [world.workers], "IamInstanceProfile": {"Name": "workers"},
            "TagSpecifications": [{"ResourceType": kind, "Tags": TAGS} for kind in kinds],
            "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1, "InstanceMetadataTags": "enabled"},
            "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}}}


def item(table, **more):
    return {"TableName": table, "Item": {"pk": {"S": "asc#shop"}, **{key: {"S": value} for key, value in more.items()}}}


def query(table):
    return {"TableName": table, "KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "asc#shop"}}}


RECORD = {"pk": {"S": "asc#shop"}}
INTERFACES = [
    ("CreateNetworkInterface", lambda w: {"SubnetId": w.subnets["FunctionSubnetA"]}),
    ("DeleteNetworkInterface", lambda w: {"NetworkInterfaceId": w.interface()}),
    ("DescribeNetworkInterfaces", lambda w: {}),
    ("AssignPrivateIpAddresses", lambda w: {"NetworkInterfaceId": w.interface(), "SecondaryPrivateIpAddressCount": 1}),
    ("UnassignPrivateIpAddresses", lambda w: {"NetworkInterfaceId": w.interface(), "PrivateIpAddresses": ["10.40.48.9"]}),
]
# The statement that lets it through, the call, what is asked.
CALLS = {
    "FunctionRole": [
        ("LaunchFrom", "ec2:RunInstances", launch),
        ("TagOnlyAtBirth", "ec2:CreateTags", lambda w: {"Resources": [w.worker], "Tags": TAGS}),
        ("Kill", "ec2:TerminateInstances", lambda w: {"InstanceIds": [w.machine("NodeSubnetA")]}),
        ("See", "ec2:DescribeInstances", lambda w: {"MaxResults": 1000, "Filters": [{"Name": "tag:asc:cluster", "Values": ["shop"]}]}),
        ("See", "ec2:DescribeInstanceTypes", lambda w: {"InstanceTypes": ["t3.large"]}),
        ("See", "ec2:DescribeSubnets", lambda w: {"SubnetIds": [w.subnets["NodeSubnetA"]]}),
        ("State", "dynamodb:GetItem", lambda w: {"TableName": w.state, "Key": RECORD, "ConsistentRead": True}),
        ("State", "dynamodb:PutItem", lambda w: item(w.state)),
        ("Audit", "dynamodb:PutItem", lambda w: item(w.logs, sk=w.new_name())),
        ("Audit", "dynamodb:Query", lambda w: query(w.logs)),
        ("Secret", "ssm:GetParameter", lambda w: {"Name": w.parameters["function"], "WithDecryption": True}),
        ("Unwrap", "kms:Decrypt", lambda w: {"CiphertextBlob": w.secret}),
        ("Logs", "logs:CreateLogStream", lambda w: {"logGroupName": w.group, "logStreamName": w.new_name()}),
        ("Logs", "logs:PutLogEvents", lambda w: {"logGroupName": w.group, "logStreamName": "first", "logEvents": [w.event()]}),
        ("DeadLetters", "sqs:SendMessage", lambda w: {"QueueUrl": w.queue, "MessageBody": "{}"}),
        *[("Interfaces", f"ec2:{operation}", asked) for operation, asked in INTERFACES],
    ],
    "WorkerRole": [
        ("Join", "ssm:GetParameter", lambda w: {"Name": w.parameters["node"], "WithDecryption": True}),
        ("Unwrap", "kms:Decrypt", lambda w: {"CiphertextBlob": w.secret}),
    ],
    "MasterRole": [
        ("Publish", "ssm:PutParameter", lambda w: {"Name": w.parameters["function"], "Type": "SecureString", "Value": "x", "Overwrite": True}),
        ("Wrap", "kms:Encrypt", lambda w: {"KeyId": w.key, "Plaintext": b"x"}),
        ("Wrap", "kms:GenerateDataKey", lambda w: {"KeyId": w.key, "KeySpec": "AES_256"}),
    ],
}
# What no role may, by action or by resource.
REFUSED = {
    "FunctionRole": [
        ("ec2:StopInstances", lambda w: {"InstanceIds": [w.worker]}), ("ec2:RebootInstances", lambda w: {"InstanceIds": [w.worker]}),
        ("ec2:DeleteTags", lambda w: {"Resources": [w.worker], "Tags": TAGS}), ("ec2:ModifyInstanceAttribute", lambda w: {"InstanceId": w.worker, "InstanceType": {"Value": "t3.small"}}),
        ("ec2:DescribeInstanceAttribute", lambda w: {"InstanceId": w.worker, "Attribute": "userData"}), ("ec2:GetConsoleOutput", lambda w: {"InstanceId": w.worker}),
        ("ec2:TerminateInstances", lambda w: {"InstanceIds": [w.master]}), ("ec2:RunInstances", lambda w: launch(w, "FunctionSubnetA")),
        ("ec2:CreateTags", lambda w: {"Resources": [w.worker], "Tags": [{"Key": "asc:cluster", "Value": "other"}]}),
        ("dynamodb:DeleteItem", lambda w: {"TableName": w.state, "Key": RECORD}), ("dynamodb:Scan", lambda w: {"TableName": w.state}),
        ("dynamodb:UpdateItem", lambda w: {"TableName": w.state, "Key": RECORD}), ("dynamodb:Query", lambda w: query(w.state)),
        ("dynamodb:GetItem", lambda w: {"TableName": w.other_table, "Key": RECORD}), ("dynamodb:PutItem", lambda w: item(w.other_table)),
        ("dynamodb:Scan", lambda w: {"TableName": w.logs}), ("dynamodb:DeleteItem", lambda w: {"TableName": w.logs, "Key": {**RECORD, "sk": {"S": "x"}}}),
        # `bootstrap check` is for an operator, who has more rights than the function.
        ("dynamodb:DescribeTable", lambda w: {"TableName": w.state}), ("dynamodb:DeleteTable", lambda w: {"TableName": w.state}),
        ("ssm:PutParameter", lambda w: {"Name": w.parameters["function"], "Value": "x", "Overwrite": True}), ("ssm:GetParameter", lambda w: {"Name": w.parameters["node"]}),
        ("ssm:GetParameter", lambda w: {"Name": w.parameters["other"]}), ("ssm:GetParametersByPath", lambda w: {"Path": "/asc/shop"}),
        ("ssm:DeleteParameter", lambda w: {"Name": w.parameters["function"]}), ("kms:Encrypt", lambda w: {"KeyId": w.key, "Plaintext": b"x"}),
        ("kms:ScheduleKeyDeletion", lambda w: {"KeyId": w.key}), ("logs:DeleteLogGroup", lambda w: {"logGroupName": w.group}), ("logs:CreateLogGroup", lambda w: {"logGroupName": "more"}),
        ("logs:PutLogEvents", lambda w: {"logGroupName": w.other_group, "logStreamName": "first", "logEvents": [w.event()]}),
        ("sqs:SendMessage", lambda w: {"QueueUrl": w.other_queue, "MessageBody": "{}"}), ("sqs:ReceiveMessage", lambda w: {"QueueUrl": w.queue}),
        ("sqs:PurgeQueue", lambda w: {"QueueUrl": w.queue}), ("iam:CreateUser", lambda w: {"UserName": "more"}), ("events:ListRules", lambda w: {}),
    ],
    "WorkerRole": [
        ("ssm:GetParameter", lambda w: {"Name": w.parameters["function"]}), ("ssm:PutParameter", lambda w: {"Name": w.parameters["node"], "Value": "x", "Overwrite": True}),
        ("kms:Encrypt", lambda w: {"KeyId": w.key, "Plaintext": b"x"}), ("ec2:DescribeInstances", lambda w: {}), ("ec2:TerminateInstances", lambda w: {"InstanceIds": [w.worker]}),
        ("dynamodb:GetItem", lambda w: {"TableName": w.state, "Key": RECORD}),
    ],
    "MasterRole": [
        ("ssm:GetParameter", lambda w: {"Name": w.parameters["function"]}), ("ssm:PutParameter", lambda w: {"Name": w.parameters["other"], "Value": "x", "Overwrite": True}),
        ("ssm:DeleteParameter", lambda w: {"Name": w.parameters["function"]}), ("kms:Decrypt", lambda w: {"CiphertextBlob": w.secret}), ("ec2:RunInstances", launch),
    ],
}
ON_MASTER = [
    ("ec2:TerminateInstances", lambda w: {"InstanceIds": [w.master]}), ("ec2:StopInstances", lambda w: {"InstanceIds": [w.master]}),
    ("ec2:ModifyInstanceAttribute", lambda w: {"InstanceId": w.master, "InstanceType": {"Value": "t3.small"}}),
    ("ec2:CreateTags", lambda w: {"Resources": [w.master], "Tags": TAGS}), ("ec2:DeleteTags", lambda w: {"Resources": [w.master], "Tags": TAGS}),
]
# What a statement forbids to somebody who is allowed everything else.
FORBIDDEN = {
    "NeverMaster": ON_MASTER, "NeverAMaster": ON_MASTER,
    "NeverJoinToken": [("ssm:GetParameter", lambda w: {"Name": w.parameters["node"]}), ("ssm:PutParameter", lambda w: {"Name": w.parameters["node"], "Value": "x", "Overwrite": True})],
    "InterfacesNotByCode": [(f"ec2:{operation}", asked) for operation, asked in INTERFACES],
}
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def conditions(statement):
    return {key for wanted in statement.get("Condition", {}).values() for key in wanted}


def loosened(statement, kept=frozenset()):
    """Without what the server does not know, but for what is kept."""
    statement = copy.deepcopy(statement)
    unknown = UNKNOWN_KEYS - kept
    left = {operator: {key: value for key, value in wanted.items() if key not in unknown} for operator, wanted in statement.pop("Condition", {}).items()}
    if any(left.values()):
        statement["Condition"] = {operator: wanted for operator, wanted in left.items() if wanted}
    if statement["Sid"] in UNKNOWN_RESOURCES - kept:
        statement["Resource"] = "*"
    return statement


def usable(statements):
    return [loosened(one) if one["Effect"] == "Allow" else one for one in statements]


def without(statements, sid, action):
    """Without an action of a statement; a statement that has no other goes too."""
    kept = [one | {"Action": [name for name in listed(one["Action"]) if (one["Sid"], name) != (sid, action)]} for one in statements]
    return [one for one in kept if one["Action"]]


class Enforced(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if enforcing.VARIABLE not in os.environ:
            why = f"{enforcing.VARIABLE} names no server that enforces policies: {enforcing.HOW}"
            if os.environ.get("CI"):
                raise AssertionError(why)
            print(f"SKIPPED, all of it: {why}", file=sys.stderr)
            raise unittest.SkipTest(why)
        cls.world = enforcing.World()
        cls.roles = {name: enforcing.Role(cls.world, name) for name in CALLS}

    def answers(self, role, calls):
        """What the server says to each call: `done` also for one that it lets through and has not got."""
        said = []
        for action, asked in calls:
            operation = action.split(":")[1]
            answer = self.roles[role].clients.answer(action, **asked(self.world))
            if operation in NOT_THERE and answer != "denied":
                self.assertEqual(answer, "InvalidAction", f"{operation} has come: take it out of NOT_THERE")
                answer = "done"
            said.append(answer)
        return said

    def let_through(self, role, statements):
        """The calls of a role that a policy lets through; the others are denied and do not fail otherwise."""
        self.roles[role].may(statements)
        said = self.answers(role, [(action, asked) for _, action, asked in CALLS[role]])
        self.assertLessEqual(set(said), {"done", "denied"}, list(zip(CALLS[role], said)))
        return {(sid, action) for (sid, action, _), answer in zip(CALLS[role], said) if answer == "done"}

    def test_each_call_is_let_through_and_only_with_its_action(self):
        for role, calls in CALLS.items():
            made = {(sid, action) for sid, action, _ in calls}
            self.assertEqual(len(made), len(calls))
            statements = usable(self.world.statements(role))
            self.assertEqual(self.let_through(role, [EVERYTHING]), made)
            self.assertEqual(self.let_through(role, statements), made)
            for sid, action in made:
                with self.subTest(role=role, without=(sid, action)):
                    self.assertEqual(self.let_through(role, without(statements, sid, action)), made - {(sid, action)})

    def test_every_name_is_proved(self):
        for role, calls in CALLS.items():
            named = {(one["Sid"], action) for one in self.world.statements(role) if one["Effect"] == "Allow" for action in listed(one["Action"])}
            made = {(sid, action) for sid, action, _ in calls}
            never = NEVER_ASKED if role == "FunctionRole" else set()
            self.assertEqual(named, made | never, role)
            # The launch's other statements have a name that is proved with another; this one has cfn-lint only, which knows all names.
            self.assertEqual({action for _, action in never} - {action for _, action in made}, {"iam:PassRole"} if never else set())
        self.assertEqual({one["Sid"] for one in self.world.statements("FunctionRole") if one["Effect"] == "Deny"}, set(FORBIDDEN))

    def test_what_is_never_asked_for(self):
        statements = usable(self.world.statements("FunctionRole"))
        for sid, action in NEVER_ASKED:
            self.assertLess(len(without(statements, sid, action)), len(statements), sid)
            statements = without(statements, sid, action)
        statements = without(statements, "TagOnlyAtBirth", "ec2:CreateTags")
        left = self.let_through("FunctionRole", statements)
        self.assertIn(("LaunchFrom", "ec2:RunInstances"), left, "the server asks for more than one permission by now: take it out of NEVER_ASKED")

    def test_no_more_is_taken_out_than_has_to_be(self):
        """With one of these left as it is, what is about it is refused; what stays is looked at."""
        role = "FunctionRole"
        made = {(sid, action) for sid, action, _ in CALLS[role]}
        allowed = [one for one in self.world.statements(role, AdoptWorkers="true") if one["Effect"] == "Allow"]
        self.assertLessEqual(UNKNOWN_RESOURCES, {one["Sid"] for one in allowed})
        for key in sorted(UNKNOWN_KEYS | UNKNOWN_RESOURCES):
            about = {one["Sid"] for one in allowed if key in conditions(one) or key == one["Sid"]}
            # Either of the two lets a machine be ended: the other one is left out.
            twins = {"Kill", "KillAdopted"} - about if about & {"Kill", "KillAdopted"} else {"KillAdopted"}
            left = [loosened(one, {key}) for one in allowed if one["Sid"] not in twins]
            refused = {sid for sid, _ in made - self.let_through(role, left)}
            self.assertTrue(refused, f"{key} is in no statement")
            self.assertEqual(refused, {"Kill" if sid == "KillAdopted" else sid for sid in about}, f"the server understands {key}")
        elsewhere = [loosened(one) for one in allowed if one["Sid"] != "KillAdopted"]
        see, = [one for one in elsewhere if one["Sid"] == "See"]
        see["Condition"]["StringEquals"]["aws:RequestedRegion"] = "us-east-1"
        self.assertEqual({sid for sid, _ in made - self.let_through(role, elsewhere)}, {"See"})

    def test_what_is_not_named_is_refused(self):
        for role, calls in REFUSED.items():
            self.roles[role].may(usable(self.world.statements(role)))
            for (action, _), answer in zip(calls, self.answers(role, calls)):
                self.assertEqual(answer, "denied", (role, action))
        here = self.world.root["ec2"].describe_instances(InstanceIds=[self.world.master])["Reservations"][0]["Instances"][0]
        self.assertEqual(here["State"]["Name"], "running")

    def test_adopted_workers_are_ended_by_their_own_statement(self):
        statements = usable(self.world.statements("FunctionRole", AdoptWorkers="true"))
        kill = ("Kill", "ec2:TerminateInstances")
        adopted = without(statements, *kill)
        self.assertIn(kill, self.let_through("FunctionRole", adopted))
        self.assertNotIn(kill, self.let_through("FunctionRole", without(adopted, "KillAdopted", "ec2:TerminateInstances")))

    def test_what_is_forbidden_stays_so_with_everything_allowed(self):
        role = "FunctionRole"
        for one in self.world.statements(role):
            if one["Effect"] != "Deny":
                continue
            calls = FORBIDDEN[one["Sid"]]
            # Of whoever it is about: the server does not know who is the function, and which machine is a master by its tag; it asks
            # for tags on everything at once.
            plain = {key: value for key, value in one.items() if key != "Condition"}
            if calls is ON_MASTER:
                plain["Resource"] = [*listed(plain["Resource"]), "*"]
            self.roles[role].may([EVERYTHING, plain])
            self.assertEqual(self.answers(role, calls), ["denied"] * len(calls), one["Sid"])
            names = listed(one["Action"])
            self.assertTrue(names == ["ssm:*"] or sorted(names) == sorted(action for action, _ in calls), one["Sid"])
            for name in names:
                self.roles[role].may([EVERYTHING, *without([plain], one["Sid"], name)])
                freed = [(action, asked) for action, asked in calls if name in (action, "ssm:*")]
                if calls is ON_MASTER:
                    # Somebody else's, so that the master is there to the end.
                    other = self.world.machine("NodeSubnetA")
                    freed = [(action, lambda w, asked=asked: renamed(asked(w), w.master, other)) for action, asked in freed]
                self.assertEqual(self.answers(role, freed), ["done"] * len(freed), (one["Sid"], name))

    def test_what_the_record_in_a_bucket_takes(self):
        """The template has none of it: `autoscale_aws::s3` says what a role needs, and these are its words."""
        said = (HERE.parents[2] / "autoscale-aws/src/s3/mod.rs").read_text()
        said = re.sub(r"\s*\n//! ?", " ", said[said.index("//! # Permissions"):said.index("//! # Requests")])
        self.assertRegex(said, r"`s3:GetObject` and `s3:PutObject` on `<bucket>/<prefix>/<cluster>\.\*`, and `s3:ListBucket` on the bucket under the condition "
                               r"that `s3:prefix` is like `<prefix>/<cluster>\.\*`")
        bucket, prefix = "shop-records", "path/autoscale/shop."
        self.world.root["s3"].create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": enforcing.REGION})
        for key in [f"{prefix}record", "path/autoscale/other.record"]:
            self.world.root["s3"].put_object(Bucket=bucket, Key=key, Body=b"x")
        arn, role = f"arn:aws:s3:::{bucket}", self.roles["FunctionRole"]
        statements = [
            {"Sid": "Objects", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"{arn}/{prefix}*"},
            {"Sid": "List", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn, "Condition": {"StringLike": {"s3:prefix": f"{prefix}*"}}},
        ]
        of = lambda key: {"Bucket": bucket, "Key": key}
        calls = [("Objects", "s3:GetObject", "GetObject", of(f"{prefix}record")),
                 ("Objects", "s3:PutObject", "PutObject", {**of(f"{prefix}large/2026-11-22/0.jsonl"), "Body": b"x"}),
                 ("List", "s3:ListBucket", "ListObjectsV2", {"Bucket": bucket, "Prefix": f"{prefix}audit/"})]
        answers = lambda calls: [role.clients.answer(action, operation, **asked) for _, action, operation, asked in calls]
        role.may(statements)
        self.assertEqual(answers(calls), ["done"] * 3)
        for sid, action in {call[:2] for call in calls}:
            role.may(without(statements, sid, action))
            self.assertEqual(answers(calls), ["denied" if call[1] == action else "done" for call in calls], action)
        role.may(statements)
        refused = [("", "s3:DeleteObject", "DeleteObject", of(f"{prefix}record")), ("", "s3:GetObject", "GetObject", of("path/autoscale/other.record")),
                   ("", "s3:PutObject", "PutObject", {**of("path/autoscale/shop2.record"), "Body": b"x"}), ("", "s3:ListBucket", "ListObjectsV2", {"Bucket": bucket}),
                   ("", "s3:PutLifecycleConfiguration", "DeleteBucketLifecycle", {"Bucket": bucket}), ("", "s3:DeleteBucket", "DeleteBucket", {"Bucket": bucket})]
        self.assertEqual(answers(refused), ["denied"] * len(refused))

    def test_no_call_is_made_that_is_not_here(self):
        """The operations of AWS's models that occur in the sources are those above."""
        sources = [path.read_text() for folder in ["autoscale-aws/src", "examples/k3s-lambda/src"] for path in (HERE.parents[2] / folder).rglob("*.rs")]
        called = {name for text in sources for name in re.findall(r"\.\s*([a-z_]+)\(\)", text.split("#[cfg(test)]\nmod tests")[0])}
        operations = {xform_name(operation): f"{service}:{operation}" for service in ["ec2", "dynamodb", "ssm"]
                      for operation in enforcing.SESSION.get_service_model(service).operation_names}
        made = {action for _, action, _ in CALLS["FunctionRole"]}
        found = {operations[name] for name in called if name in operations}
        self.assertEqual(found - {"dynamodb:DescribeTable"}, {action for action in made if action.split(":")[0] in ("ec2", "dynamodb", "ssm")}
                         - {f"ec2:{operation}" for operation, _ in INTERFACES} - {"ec2:CreateTags"})
        self.assertIn("dynamodb:DescribeTable", found, "and it is among those that are refused")


def renamed(value, old, new):
    if isinstance(value, list):
        return [renamed(one, old, new) for one in value]
    if isinstance(value, dict):
        return {key: renamed(one, old, new) for key, one in value.items()}
    return new if value == old else value


if __name__ == "__main__":
    unittest.main()
