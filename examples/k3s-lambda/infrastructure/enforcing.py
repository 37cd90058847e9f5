"""A server that enforces IAM policies, with what the template's roles are about in it: `.ci/ministack --enforcing` starts one.

It is MiniStack, not AWS: it derives the action that a call needs from the call's name in AWS's own models, looks the statements
up, and answers with the service's own refusal.
"""
import itertools
import json
import os
import time

import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from resolve import REGION, Template

VARIABLE = "AUTOSCALE_TEST_IAM"
HOW = "run `.ci/infrastructure`, or `.ci/ministack --enforcing python3 examples/k3s-lambda/infrastructure/enforced_test.py` with botocore and PyYAML"
DENIED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}
SESSION = botocore.session.Session()


class Clients:
    """The clients of one principal, by the services' names. Each request is sent once."""

    def __init__(self, endpoint, key="test", secret="test", token=None):
        self.given = {"endpoint_url": endpoint, "aws_access_key_id": key, "aws_secret_access_key": secret, "aws_session_token": token}
        self.made = {}

    def __getitem__(self, service):
        if service not in self.made:
            once = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60, proxies={})
            self.made[service] = SESSION.create_client(service, region_name=REGION, config=once, **self.given)
        return self.made[service]

    def answer(self, action, operation=None, **asked):
        """`done`, `denied`, or the code of another refusal. Nearly all operations are called as their actions are."""
        service, name = action.split(":")
        operation = operation or name
        try:
            getattr(self[service], xform_name(operation))(**asked)
        except ClientError as error:
            code, message = (error.response["Error"][key] for key in ("Code", "Message"))
            if code not in DENIED:
                return code
            # It is policies that refuse, and this is the action that they were asked for.
            assert f"not authorized to perform: {action} " in message, message
            return "denied"
        return "done"


class Placed(Template):
    """The template with the ids of what is there."""

    def __init__(self, account, refs, arns, **given):
        super().__init__(**given)
        self.refs, self.arns = {"AWS::AccountId": account, **refs}, arns

    def ref(self, name):
        return self.refs[name] if name in self.refs else super().ref(name)

    def attribute(self, name, attribute):
        return self.arns[name] if attribute == "Arn" and name in self.arns else super().attribute(name, attribute)


class Role:
    """A role of the template, made by its own words, and taken on."""

    def __init__(self, world, name):
        self.name, self.root = name, world.root
        trusts = world.template().properties(name)["AssumeRolePolicyDocument"]
        made = self.root["iam"].create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trusts))
        taken = self.root["sts"].assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="test")["Credentials"]
        self.clients = Clients(world.endpoint, taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"])

    def may(self, statements):
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.root["iam"].put_role_policy(RoleName=self.name, PolicyName="tested", PolicyDocument=document)


class World:
    """What calls need, made by the account's root."""

    def __init__(self):
        self.endpoint = os.environ[VARIABLE]
        self.root = Clients(self.endpoint)
        self.account = self.root["sts"].get_caller_identity()["Account"]
        self.numbers = itertools.count()
        self.network()
        self.state, self.logs, self.other_table = (self.table(name, keys) for name, keys in [("shop-state", 1), ("shop-logs", 2), ("other", 1)])
        self.group, self.other_group = "/aws/lambda/shop-autoscaler", "/aws/lambda/other"
        for group in [self.group, self.other_group]:
            self.root["logs"].create_log_group(logGroupName=group)
            self.root["logs"].create_log_stream(logGroupName=group, logStreamName="first")
        self.queue, self.other_queue = (self.root["sqs"].create_queue(QueueName=name)["QueueUrl"] for name in ["shop-dead", "other"])
        # The key's policy is the server's own: it knows nothing of `kms:ViaService`, which the template's is about.
        self.key = self.root["kms"].create_key()["KeyMetadata"]["Arn"]
        self.secret = self.root["kms"].encrypt(KeyId=self.key, Plaintext=b"token")["CiphertextBlob"]
        self.parameters = {"function": "/asc/shop/function/api-token", "node": "/asc/shop/node/join-token", "other": "/asc/other/function/api-token"}
        for name in self.parameters.values():
            self.root["ssm"].put_parameter(Name=name, Type="SecureString", KeyId=self.key, Value="canary")
        self.root["iam"].create_instance_profile(InstanceProfileName="workers")
        self.master, self.worker = self.machine("NodeSubnetA"), self.machine("NodeSubnetA")

    def network(self):
        ec2 = self.root["ec2"]
        vpc = ec2.create_vpc(CidrBlock="10.40.0.0/16")["Vpc"]["VpcId"]
        names = ["NodeSubnetA", "NodeSubnetB", "NodeSubnetC", "FunctionSubnetA"]
        made = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.40.{16 * at}.0/20") for at in range(len(names))]
        self.subnets = {name: subnet["Subnet"]["SubnetId"] for name, subnet in zip(names, made)}
        self.workers = ec2.create_security_group(GroupName="workers", Description="workers", VpcId=vpc)["GroupId"]

    def table(self, name, keys):
        names = ["pk", "sk"][:keys]
        self.root["dynamodb"].create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in names],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(names, ["HASH", "RANGE"])])
        return name

    def machine(self, subnet):
        made = self.root["ec2"].run_instances(ImageId="ami-0123456789abcdef0", InstanceType="t3.large", MinCount=1, MaxCount=1, SubnetId=self.subnets[subnet])
        return made["Instances"][0]["InstanceId"]

    def interface(self):
        made = self.root["ec2"].create_network_interface(SubnetId=self.subnets["FunctionSubnetA"])
        return made["NetworkInterface"]["NetworkInterfaceId"]

    def new_name(self):
        return f"name-{next(self.numbers)}"

    def event(self):
        return {"timestamp": int(time.time() * 1000), "message": "a line"}

    def template(self, **given):
        arn = lambda service, name: f"arn:aws:{service}:{REGION}:{self.account}:{name}"
        refs = {**self.subnets, "Master": self.master, "WorkerGroup": self.workers}
        arns = {"StateTable": arn("dynamodb", f"table/{self.state}"), "LogsTable": arn("dynamodb", f"table/{self.logs}"), "Key": self.key,
                "DeadLetters": arn("sqs", "shop-dead"),
                # CloudFormation's own has `:*` at its end, for the streams: the server asks for the group.
                "FunctionLogs": arn("logs", f"log-group:{self.group}")}
        return Placed(self.account, refs, arns, **given)

    def statements(self, role, **given):
        policy, = self.template(**given).properties(role)["Policies"]
        return policy["PolicyDocument"]["Statement"]
