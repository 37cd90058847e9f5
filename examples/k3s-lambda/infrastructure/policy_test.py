"""The function's permissions: what it may, and what it may not. By the evaluator beside this file, which is not AWS's own."""
import unittest

import evaluator
from resolve import ACCOUNT, REGION, Template

EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}:"
SSM = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter"
STATE, LOGS, KEY, WORKER, DEAD, GROUP = (
    f"arn:aws:made-up:{REGION}:{ACCOUNT}:{name}" for name in ("StateTable", "LogsTable", "Key", "WorkerRole", "DeadLetters", "FunctionLogs"))
TAGS = {"asc:cluster": "shop", "asc:pool": "workers", "asc:role": "worker", "asc:op": "abcd-1-0-1", "Name": "x", "k3s-role": "worker", "k3s-cluster": "shop"}
OWN = {"aws:ResourceTag/asc:cluster": "shop", "aws:ResourceTag/asc:role": "worker"}
HERE = {"aws:RequestedRegion": REGION}
THROUGH = {"kms:ViaService": f"ssm.{REGION}.amazonaws.com"}
RECORD = {"dynamodb:LeadingKeys": ["asc#shop"]}
BIRTH = {"ec2:CreateAction": "RunInstances"}
CODE = {"lambda:SourceFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shop-autoscaler"}


def birth(**other):
    """The context of a launch with tags; a tag of None is not there."""
    tags = {key: value for key, value in {**TAGS, **{key.replace("__", ":"): value for key, value in other.items()}}.items() if value is not None}
    return {f"aws:RequestTag/{key}": value for key, value in tags.items()} | {"aws:TagKeys": list(tags)}


def vm(shape="t3.large", tokens="required", hops="1", **tags):
    machine = {"ec2:InstanceType": shape, "ec2:MetadataHttpTokens": tokens, "ec2:MetadataHttpPutResponseHopLimit": hops}
    return birth(**tags) | {key: value for key, value in machine.items() if value is not None}


RUN, TAG, KILL = "ec2:RunInstances", "ec2:CreateTags", "ec2:TerminateInstances"
INSTANCE, MASTER = EC2 + "instance/i-0123456789abcdef0", EC2 + "instance/Master-id"
ALLOWED = [
    (RUN, EC2 + "instance/*", vm()), (RUN, EC2 + "instance/*", vm(shape="t3.small")), (RUN, EC2 + "instance/*", vm(shape="m6i.large")),
    (RUN, EC2 + "instance/*", vm(Name=None)), (RUN, EC2 + "volume/*", birth()), (RUN, EC2 + "network-interface/*", birth()),
    (RUN, EC2 + "spot-instances-request/*", birth()), (RUN, EC2 + "launch-template/WorkerTemplate-id", {}),
    (RUN, f"arn:aws:ec2:{REGION}::image/ami-0123456789abcdef0", {}), (RUN, EC2 + "subnet/NodeSubnetA-id", {}),
    (RUN, EC2 + "subnet/NodeSubnetB-id", {}), (RUN, EC2 + "subnet/NodeSubnetC-id", {}), (RUN, EC2 + "security-group/WorkerGroup-id", {}),
    (TAG, INSTANCE, birth() | BIRTH), (TAG, EC2 + "volume/vol-1", birth() | BIRTH), (TAG, EC2 + "network-interface/eni-1", birth() | BIRTH),
    (KILL, INSTANCE, OWN), ("ec2:DescribeInstances", "*", HERE), ("ec2:DescribeInstanceTypes", "*", HERE), ("ec2:DescribeSubnets", "*", HERE),
    ("iam:PassRole", WORKER, {"iam:PassedToService": "ec2.amazonaws.com"}), ("dynamodb:GetItem", STATE, RECORD), ("dynamodb:PutItem", STATE, RECORD),
    ("dynamodb:PutItem", LOGS, RECORD), ("dynamodb:Query", LOGS, RECORD), ("ssm:GetParameter", SSM + "/asc/shop/function/api-token", {}),
    ("ssm:GetParameter", SSM + "/asc/shop/function/api-ca", {}), ("kms:Decrypt", KEY, THROUGH), ("logs:PutLogEvents", GROUP, {}),
    ("sqs:SendMessage", DEAD, {}), ("ec2:CreateNetworkInterface", "*", {}), ("ec2:DescribeNetworkInterfaces", "*", {}),
]
DENIED = [
    (RUN, EC2 + "instance/*", vm(asc__cluster="other")), (RUN, EC2 + "instance/*", vm(asc__cluster=None)), (RUN, EC2 + "instance/*", vm(asc__role="master")),
    (RUN, EC2 + "instance/*", vm(asc__role=None)), (RUN, EC2 + "instance/*", vm(tokens="optional")), (RUN, EC2 + "instance/*", vm(tokens=None)),
    (RUN, EC2 + "instance/*", vm(hops="2")), (RUN, EC2 + "instance/*", vm(hops=None)), (RUN, EC2 + "instance/*", vm(shape="p5.48xlarge")),
    (RUN, EC2 + "instance/*", vm(shape="m6i.xlarge")), (RUN, EC2 + "instance/*", vm(more="x")), (RUN, EC2 + "instance/*", vm(asc__cluster="shop*")),
    (RUN, EC2 + "instance/*", {}), (RUN, EC2 + "volume/*", {}), (RUN, EC2 + "network-interface/*", birth(asc__cluster="other")),
    (RUN, EC2 + "spot-instances-request/*", {}), (RUN, EC2 + "launch-template/lt-other", {}), (RUN, EC2 + "launch-template/MasterTemplate-id", {}),
    (RUN, f"arn:aws:ec2:{REGION}::image/ami-ffffffffffffffff0", {}), (RUN, EC2 + "subnet/FunctionSubnetA-id", {}), (RUN, EC2 + "subnet/subnet-other", {}),
    (RUN, EC2 + "security-group/MasterGroup-id", {}), (RUN, EC2 + "key-pair/mine", {}), (RUN, f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/*", vm()),
    (TAG, INSTANCE, birth()), (TAG, INSTANCE, birth(asc__cluster="other") | BIRTH), (TAG, INSTANCE, birth() | {"ec2:CreateAction": "CreateVolume"}),
    (TAG, MASTER, birth() | BIRTH), ("ec2:DeleteTags", INSTANCE, OWN), (KILL, INSTANCE, {}), (KILL, INSTANCE, OWN | {"aws:ResourceTag/asc:cluster": "other"}),
    (KILL, INSTANCE, OWN | {"aws:ResourceTag/asc:role": "master"}), (KILL, INSTANCE, {"aws:ResourceTag/k3s-cluster": "shop", "aws:ResourceTag/k3s-role": "worker"}),
    (KILL, MASTER, OWN), (KILL, f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1", OWN), ("ec2:StopInstances", INSTANCE, OWN), ("ec2:StopInstances", MASTER, OWN),
    ("ec2:ModifyInstanceAttribute", INSTANCE, OWN), ("ec2:ModifyInstanceAttribute", MASTER, {}), ("ec2:DescribeInstanceAttribute", INSTANCE, HERE),
    ("ec2:GetConsoleOutput", INSTANCE, OWN), ("ec2:DescribeInstances", "*", {"aws:RequestedRegion": "us-east-1"}), ("ec2:DescribeInstances", "*", {}),
    ("ec2:CreateLaunchTemplateVersion", EC2 + "launch-template/WorkerTemplate-id", {}), ("iam:PassRole", WORKER, {"iam:PassedToService": "lambda.amazonaws.com"}),
    ("iam:PassRole", WORKER.replace("WorkerRole", "MasterRole"), {"iam:PassedToService": "ec2.amazonaws.com"}), ("iam:CreateRole", "*", {}),
    ("dynamodb:GetItem", STATE, {"dynamodb:LeadingKeys": ["asc#other"]}), ("dynamodb:GetItem", STATE, {"dynamodb:LeadingKeys": ["asc#shop", "asc#other"]}),
    ("dynamodb:GetItem", STATE, {}), ("dynamodb:PutItem", STATE, {"dynamodb:LeadingKeys": ["asc#shop2"]}), ("dynamodb:DeleteItem", STATE, RECORD),
    ("dynamodb:UpdateItem", STATE, RECORD), ("dynamodb:Scan", STATE, {}), ("dynamodb:Query", STATE, RECORD), ("dynamodb:GetItem", LOGS, RECORD),
    ("dynamodb:DeleteItem", LOGS, RECORD), ("dynamodb:Query", LOGS, {}), ("dynamodb:Query", LOGS, {"dynamodb:LeadingKeys": ["asc#other"]}), ("dynamodb:Scan", LOGS, {}),
    ("ssm:GetParameter", SSM + "/asc/shop/node/join-token", {}), ("ssm:GetParameter", SSM + "/asc/other/function/api-token", {}), ("ssm:GetParameter", SSM + "/asc/shop2/function/x", {}),
    ("ssm:PutParameter", SSM + "/asc/shop/function/api-token", {}), ("ssm:GetParametersByPath", SSM + "/asc/shop", {}), ("kms:Decrypt", KEY, {}),
    ("kms:Decrypt", KEY, {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"}), ("kms:Encrypt", KEY, THROUGH), ("kms:Decrypt", KEY + "2", THROUGH),
    ("logs:DeleteLogGroup", GROUP, {}), ("sqs:ReceiveMessage", DEAD, {}), ("ec2:CreateNetworkInterface", "*", CODE), ("ec2:DeleteNetworkInterface", "*", CODE),
    ("ec2:AssignPrivateIpAddresses", "*", CODE), ("lambda:UpdateFunctionCode", "*", {}), ("sts:AssumeRole", WORKER, {}),
]

ARN = "arn:aws:s3:::b/k"
S = lambda effect="Allow", action="s3:GetObject", resource=ARN, **more: {"Effect": effect, "Action": action, "Resource": resource, **more}
C = lambda operator, key, wanted: S(Condition={operator: {key: wanted}})
# Statements, context, decision on s3:GetObject of arn:aws:s3:::b/k.
RULES = [
    ([], {}, None), ([S()], {}, "Allow"), ([S(), S("Deny")], {}, "Deny"), ([S("Deny"), S()], {}, "Deny"), ([S("Deny")], {}, "Deny"),
    ([S(action="s3:PutObject")], {}, None), ([S(action="S3:getobject")], {}, "Allow"), ([S(action="s3:*")], {}, "Allow"), ([S(action="s3:Get*")], {}, "Allow"),
    ([S(action="*")], {}, "Allow"), ([S(action="s3:Get?bject")], {}, "Allow"), ([S(action="s3:Get?")], {}, None), ([S(action="ec2:*")], {}, None),
    ([S(action=["s3:PutObject", "s3:GetObject"])], {}, "Allow"), ([S(resource="arn:aws:s3:::B/k")], {}, None), ([S(resource="arn:aws:s3:::b/*")], {}, "Allow"),
    ([S(resource="arn:aws:s3:::b")], {}, None), ([S(resource="*")], {}, "Allow"), ([S(resource=["x", ARN])], {}, "Allow"), ([S(resource="arn:aws:s3:::?/?")], {}, "Allow"),
    ([S(resource="arn:aws:s3:::[b]/k")], {}, None), ([{"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": "*"}], {}, "Allow"),
    ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], {}, None), ([{"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::c/*"}], {}, "Deny"),
    ([{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::b/*"}], {}, None), ([C("StringEquals", "a:k", "x")], {"a:k": "x"}, "Allow"),
    ([C("StringEquals", "A:K", "x")], {"a:k": "x"}, "Allow"), ([C("StringEquals", "a:k", "x")], {"a:k": "X"}, None), ([C("StringEquals", "a:k", "x")], {}, None),
    ([C("StringEquals", "a:k", ["x", "y"])], {"a:k": "y"}, "Allow"), ([C("StringEquals", "a:k", "x*")], {"a:k": "xy"}, None),
    ([C("StringEqualsIgnoreCase", "a:k", "x")], {"a:k": "X"}, "Allow"), ([C("StringNotEquals", "a:k", "x")], {"a:k": "y"}, "Allow"),
    ([C("StringNotEquals", "a:k", "x")], {}, "Allow"), ([C("StringNotEquals", "a:k", ["x", "y"])], {"a:k": "y"}, None), ([C("StringLike", "a:k", "x*")], {"a:k": "xy"}, "Allow"),
    ([C("StringLike", "a:k", "x?")], {"a:k": "x"}, None), ([C("StringLike", "a:k", "x.*")], {"a:k": "xy"}, None), ([C("StringNotLike", "a:k", "x*")], {"a:k": "xy"}, None),
    ([C("NumericLessThanEquals", "a:k", "1")], {"a:k": "1"}, "Allow"), ([C("NumericLessThanEquals", "a:k", "1")], {"a:k": "2"}, None),
    ([C("NumericLessThanEquals", "a:k", "10")], {"a:k": "9"}, "Allow"), ([C("NumericLessThanEquals", "a:k", "1")], {}, None), ([C("NumericLessThan", "a:k", "1")], {"a:k": "1"}, None),
    ([C("NumericGreaterThan", "a:k", "1")], {"a:k": "2"}, "Allow"), ([C("NumericEquals", "a:k", "1")], {"a:k": "1.0"}, "Allow"), ([C("NumericEquals", "a:k", "1")], {"a:k": "x"}, None),
    ([C("Bool", "a:k", "true")], {"a:k": "True"}, "Allow"), ([C("Bool", "a:k", "true")], {}, None), ([C("Null", "a:k", "true")], {}, "Allow"),
    ([C("Null", "a:k", "true")], {"a:k": "x"}, None), ([C("Null", "a:k", "false")], {"a:k": "x"}, "Allow"), ([C("StringEqualsIfExists", "a:k", "x")], {}, "Allow"),
    ([C("StringEqualsIfExists", "a:k", "x")], {"a:k": "y"}, None), ([C("ForAllValues:StringEquals", "a:k", ["x", "y"])], {"a:k": ["x"]}, "Allow"),
    ([C("ForAllValues:StringEquals", "a:k", ["x"])], {"a:k": ["x", "y"]}, None), ([C("ForAllValues:StringEquals", "a:k", ["x"])], {}, "Allow"),
    ([C("ForAnyValue:StringEquals", "a:k", ["x"])], {"a:k": ["x", "y"]}, "Allow"), ([C("ForAnyValue:StringEquals", "a:k", ["x"])], {}, None),
    ([C("ArnEquals", "a:k", "arn:aws:sns:*:1:t")], {"a:k": "arn:aws:sns:r:1:t"}, "Allow"), ([C("ArnEquals", "a:k", "arn:aws:*")], {"a:k": "arn:aws:sns:r:1:t"}, None),
    ([C("ArnLike", "a:k", "arn:aws:sns:r:1:t")], {"a:k": "no arn"}, None), ([S(Condition={"StringEquals": {"a:k": "x", "a:l": "y"}})], {"a:k": "x"}, None),
    ([S(Condition={"StringEquals": {"a:k": "x"}, "Bool": {"a:l": "true"}})], {"a:k": "x", "a:l": "true"}, "Allow"),
    ([S(), {**C("StringEquals", "a:k", "x"), "Effect": "Deny"}], {}, "Allow"), ([S(), {**C("StringNotEquals", "a:k", "x"), "Effect": "Deny"}], {}, "Deny"),
]


def statements(**given):
    policy, = Template(**given).properties("FunctionRole")["Policies"]
    return policy["PolicyDocument"]["Statement"]


class Policies(unittest.TestCase):
    def test_the_evaluator(self):
        self.assertGreaterEqual(len(RULES), 60)
        for rules, context, expected in RULES:
            with self.subTest(rules=rules, context=context):
                self.assertEqual(evaluator.decide(rules, "s3:GetObject", ARN, context), expected)
        with self.assertRaises(KeyError):
            evaluator.decide([C("DateLessThan", "a:k", "x")], "s3:GetObject", ARN, {"a:k": "x"})

    def test_what_the_function_may_and_may_not(self):
        self.assertGreaterEqual(len(ALLOWED), 20)
        self.assertGreaterEqual(len(DENIED), 40)
        rules = statements()
        for cases, expected in [(ALLOWED, True), (DENIED, False)]:
            for action, resource, context in cases:
                with self.subTest(action=action, resource=resource, context=context):
                    self.assertEqual(evaluator.decide(rules, action, resource, context) == "Allow", expected)

    def test_every_statement_matters(self):
        """Without a statement some case is decided otherwise: none is there for nothing, and none is untested."""
        rules = statements()
        for left_out in rules:
            rest = [rule for rule in rules if rule is not left_out]
            kept = all(evaluator.decide(rest, *case) == evaluator.decide(rules, *case) for case in ALLOWED + DENIED)
            self.assertFalse(kept, left_out["Sid"])

    def test_adopted_workers(self):
        tags = {"aws:ResourceTag/k3s-cluster": "shop", "aws:ResourceTag/k3s-role": "worker"}
        rules = statements(AdoptWorkers="true")
        self.assertEqual(evaluator.decide(rules, KILL, INSTANCE, tags), "Allow")
        self.assertEqual(evaluator.decide(rules, KILL, INSTANCE, tags | {"aws:ResourceTag/k3s-role": "master"}), None)
        self.assertEqual(evaluator.decide(rules, KILL, MASTER, tags), "Deny")

    def test_other_roles(self):
        worker = Template().properties("WorkerRole")["Policies"][0]["PolicyDocument"]["Statement"]
        may = lambda rules, *case: evaluator.decide(rules, *case) == "Allow"
        self.assertTrue(may(worker, "ssm:GetParameter", SSM + "/asc/shop/node/join-token", {}))
        for case in [("ssm:GetParameter", SSM + "/asc/shop/function/api-token", {}), ("ssm:PutParameter", SSM + "/asc/shop/node/join-token", {}),
                     (KILL, INSTANCE, OWN), ("ec2:DescribeInstances", "*", HERE), ("kms:Decrypt", KEY, {})]:
            self.assertFalse(may(worker, *case), case)
        master = Template().properties("MasterRole")["Policies"][0]["PolicyDocument"]["Statement"]
        self.assertTrue(may(master, "ssm:PutParameter", SSM + "/asc/shop/function/api-token", {}))
        for case in [("ssm:PutParameter", SSM + "/asc/other/x", {}), ("kms:Decrypt", KEY, THROUGH), (KILL, INSTANCE, OWN)]:
            self.assertFalse(may(master, *case), case)
        self.assertEqual(Template(CreateParameters="false").properties("MasterRole")["Policies"], [])


if __name__ == "__main__":
    unittest.main()
