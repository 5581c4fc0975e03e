"""What the AWS account has: bucket, queues, roles and images, read with the user's own rights."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec

import boto3
import botocore.exceptions

from cortex_async.aws.boto import client
from cortex_async_tools.authoring import trust
from cortex_async_tools.aws_login import HOW_TO_LOG_IN
from cortex_async_tools.doctor.cluster import ClusterError
from cortex_async_tools.doctor.subject import Finding, Subject

P = ParamSpec("P")

_ROLE = "eks.amazonaws.com/role-arn"
_ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.[a-z.]+/([^:@]+)(?::([^@]+))?(?:@(.+))?")
_NOT_ALLOWED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}


def check(subject: Subject, *, installed: bool) -> Iterator[Finding]:
    """Look at the account; `installed` tells whether the release is in the cluster."""
    if subject.values["emulator"]["enabled"]:
        yield Finding("account", "ok", "emulator.enabled is true, so that nothing of AWS is used")
        return
    if endpoint := subject.api.aws.endpoint_url:
        yield Finding("account", "unknown", f"aws.endpointUrl is {endpoint}: only bucket and queues are looked at")
        yield from _data(subject, installed)
        return
    try:
        who = client(subject.api, "sts", tries=2).get_caller_identity()
    except botocore.exceptions.NoCredentialsError:
        yield Finding("account", "missing", "there are no AWS credentials", HOW_TO_LOG_IN)
        return
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        yield Finding("account", "missing", str(error), HOW_TO_LOG_IN)
        return
    yield Finding("account", "ok", f"{who['Arn']}, region {subject.api.aws.region}")
    yield from _data(subject, installed)
    for part, name in trust.service_accounts(subject.objects).items():
        yield _asked(f"role of {part}", _role, subject, who["Account"], part, name)
    for image in sorted({each["image"] for _, pod in subject.pods() for each in pod["containers"]}):
        if found := _ECR.fullmatch(image):
            yield _asked(f"image {image}", _image, image, found)


def _data(subject: Subject, installed: bool) -> Iterator[Finding]:
    yield _asked("bucket", _bucket, subject)
    queue = subject.api.queue
    webhooks = subject.api.webhooks
    of_webhooks = [webhooks.queue_name] if webhooks else []
    for name in (queue.url or queue.name, queue.dead_letter_name, *of_webhooks):
        yield _asked(f"queue {name}", _queue, subject, name, installed)


def _asked(what: str, look: Callable[P, Finding], *args: P.args, **options: P.kwargs) -> Finding:
    """Return what was found, or that it may not be looked at."""
    try:
        return look(*args, **options)
    except botocore.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _NOT_ALLOWED or error.response["ResponseMetadata"]["HTTPStatusCode"] == 403:
            return Finding(what, "unknown", "you may not look at it; the roles of the release may be allowed to")
        return Finding(what, "unknown", str(error))
    except (botocore.exceptions.BotoCoreError, ClusterError) as error:
        return Finding(what, "unknown", str(error))


def _bucket(subject: Subject) -> Finding:
    name, region = subject.api.storage.bucket, subject.api.aws.region
    place = "" if region == "us-east-1" else f" --create-bucket-configuration LocationConstraint={region}"
    try:
        answer = client(subject.api, "s3", tries=2).head_bucket(Bucket=name)
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404:
            mend = f"aws s3api create-bucket --bucket {name} --region {region}{place}"
            return Finding("bucket", "missing", f"{name} does not exist", mend)
        answer = error.response
        if status != 301:
            raise
    there = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", region)
    if there != region:
        return Finding("bucket", "missing", f"{name} is in {there}, and aws.region is {region}", "set aws.region")
    return Finding("bucket", "ok", f"{name} is there")


def _queue(subject: Subject, name: str, installed: bool) -> Finding:
    sqs = client(subject.api, "sqs", tries=2)
    what = f"queue {name}"
    try:
        if name == subject.api.queue.url:
            sqs.get_queue_attributes(QueueUrl=name, AttributeNames=["QueueArn"])
        else:
            sqs.get_queue_url(QueueName=name)
    except sqs.exceptions.QueueDoesNotExist:
        if name == subject.api.queue.url:
            return Finding(what, "missing", "queue.url names no queue", "mend queue.url, or take it out")
        if not subject.values["provision"]["enabled"]:
            mend = f"aws sqs create-queue --region {subject.api.aws.region} --queue-name {name}"
            return Finding(what, "missing", "it does not exist, and provision.enabled is false", mend)
        if not installed:
            return Finding(what, "later", "the provisioning Job makes it")
        return Finding(what, "missing", "it does not exist; provisioning makes it anew", subject.install)
    return Finding(what, "ok", "it is there")


def _role(subject: Subject, account: str, part: str, service_account: str) -> Finding:
    what = f"role of {part}"
    if secret := subject.values["aws"]["credentialsSecret"]:
        return _secret(subject, what, secret)
    arn = _annotations(subject, service_account).get(_ROLE)
    if arn is None:
        key = {"dispatcher": "serviceAccount"}.get(part, f"{part}.serviceAccount")
        text = f"{key}.annotations names none: EKS Pod Identity, the node's role or aws.extraEnv has to give keys"
        look = f"aws eks list-pod-identity-associations --cluster-name <cluster> --namespace {subject.namespace}"
        return Finding(what, "unknown", text, f"{look} --service-account {service_account}")
    name = arn.rpartition("/")[2]
    iam = client(subject.api, "iam", tries=2)
    policy = f"cortex-async iam-policy {subject.words} --for {part}"
    trusting = (
        f"{policy} --trust irsa --namespace {subject.namespace} --account {account} --oidc-provider <issuer>"
    )
    rights = (
        f"{policy} > policy.json && aws iam put-role-policy --role-name {name} --policy-name cortex-async "
        "--policy-document file://policy.json"
    )
    try:
        document = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    except iam.exceptions.NoSuchEntityException:
        make = f"aws iam create-role --role-name {name} --assume-role-policy-document file://trust.json"
        return Finding(what, "missing", f"{arn} does not exist", f"{trusting} > trust.json && {make} && {rights}")
    if not _trusts(document, f"system:serviceaccount:{subject.namespace}:{service_account}"):
        mend = f"aws iam update-assume-role-policy --role-name {name} --policy-document file://trust.json"
        text = f"{arn} does not trust the service account {subject.namespace}/{service_account}"
        return Finding(what, "missing", text, f"{trusting} > trust.json && {mend}")
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    if not inline and not attached:
        return Finding(what, "missing", f"{arn} has no policy", rights)
    return Finding(what, "ok", f"{arn} trusts {service_account}, and has a policy")


def _trusts(document: Any, subject: str) -> bool:
    """Whether a trust policy names a service account, by its name or a pattern, or EKS Pod Identity."""
    text = json.dumps(document) if isinstance(document, dict) else str(document)
    patterns = re.findall(r"system:serviceaccount:[^\"]*", text)
    fits = any(re.fullmatch(re.escape(each).replace(r"\*", ".*"), subject) for each in patterns)
    return fits or "pods.eks.amazonaws.com" in text


def _annotations(subject: Subject, name: str) -> dict[str, str]:
    """Return the annotations of the service account that the chart makes, or else of the one that is there."""
    for each in subject.rendered("ServiceAccount"):
        if each["metadata"]["name"] == name:
            return dict(each["metadata"].get("annotations") or {})
    there = subject.cluster.get(subject.path("v1", "serviceaccounts", name)) or {"metadata": {}}
    return dict(there["metadata"].get("annotations") or {})


def _secret(subject: Subject, what: str, name: str) -> Finding:
    found = subject.cluster.get(subject.path("v1", "secrets", name))
    keys = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    if found is not None and keys <= (found.get("data") or {}).keys():
        return Finding(what, "ok", f"the keys are in the Secret {name}")
    literals = " ".join(f"--from-literal={key}=…" for key in sorted(keys))
    mend = f"kubectl -n {subject.namespace} create secret generic {name} {literals}"
    return Finding(what, "missing", f"there is no Secret {name} with {' and '.join(sorted(keys))}", mend)


def _image(image: str, found: re.Match[str]) -> Finding:
    what = f"image {image}"
    registry, region, repository, tag, digest = found.groups()
    ecr = boto3.client("ecr", region_name=region)
    chosen = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
    try:
        ecr.describe_images(registryId=registry, repositoryName=repository, imageIds=[chosen])
    except ecr.exceptions.RepositoryNotFoundException:
        make = f"aws ecr create-repository --region {region} --repository-name {repository}"
        return Finding(what, "missing", "its repository does not exist", f"{make} && docker push {image}")
    except ecr.exceptions.ImageNotFoundException:
        return Finding(what, "missing", "it was not pushed", f"docker push {image}")
    return Finding(what, "ok", "it is there")
