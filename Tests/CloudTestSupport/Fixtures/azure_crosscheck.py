"""Drives the double of Azure with Microsoft's own client: what the client expects of the service, the double does, and the
client's signatures pass its check.

    azure_crosscheck.py ENDPOINT ACCOUNT BASE64KEY CONTAINER check      everything, in a container of its own
    azure_crosscheck.py ENDPOINT ACCOUNT BASE64KEY CONTAINER read       prints NAME LENGTH SHA256 MODE UNTIL of each blob
    azure_crosscheck.py ENDPOINT ACCOUNT BASE64KEY CONTAINER versions   prints NAME LENGTH MODE of each version, deleted blobs too
    azure_crosscheck.py ENDPOINT ACCOUNT BASE64KEY CONTAINER write NAME LENGTH    puts LENGTH times 'x'
"""
import datetime
import hashlib
import sys

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ImmutabilityPolicy

endpoint, account, key, container = sys.argv[1:5]


def service(key=key):
    return BlobServiceClient(endpoint, credential={"account_name": account, "account_key": key}, retry_total=0)


def refused(code, call):
    try:
        call()
    except HttpResponseError as error:
        found = error.response.headers["x-ms-error-code"]
        assert found == code, (found, code)
        return
    raise AssertionError("it should have been refused with " + code)


def check():
    client = service().create_container(container)
    refused("ContainerAlreadyExists", lambda: service().create_container(container))
    refused("AuthenticationFailed",
            lambda: list(service("d3Jvbmc=").get_container_client(container).list_blobs()))
    for name, body in [("a/1", b""), ("a/2 é+&", b"x" * 100_000), ("b", b"hello")]:
        client.upload_blob(name, body, overwrite=True, validate_content=True)
        assert client.download_blob(name, validate_content=True).readall() == body, name
    assert client.download_blob("b", offset=1, length=3).readall() == b"ell"
    assert [blob.name for blob in client.list_blobs(name_starts_with="a/", results_per_page=1)] == ["a/1", "a/2 é+&"]
    refused("BlobNotFound", lambda: client.get_blob_client("none").get_blob_properties())

    blob = client.get_blob_client("b")
    until = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=2)
    blob.set_immutability_policy(ImmutabilityPolicy(expiry_time=until, policy_mode="Unlocked"))
    blob.delete_immutability_policy()
    assert blob.get_blob_properties().immutability_policy.expiry_time is None
    blob.set_immutability_policy(ImmutabilityPolicy(expiry_time=until, policy_mode="Locked"))
    found = blob.get_blob_properties().immutability_policy
    assert (found.expiry_time, found.policy_mode.lower()) == (until, "locked"), (found.expiry_time, found.policy_mode)
    refused("BlobImmutableDueToPolicy", blob.delete_blob)
    refused("BlobImmutableDueToPolicy", blob.delete_immutability_policy)
    earlier = ImmutabilityPolicy(expiry_time=until - datetime.timedelta(days=1), policy_mode="Locked")
    refused("BlobImmutableDueToPolicy", lambda: blob.set_immutability_policy(earlier))
    later = ImmutabilityPolicy(expiry_time=until + datetime.timedelta(days=1), policy_mode="Locked")
    blob.set_immutability_policy(later)

    blob.upload_blob(b"second", overwrite=True)
    assert blob.download_blob().readall() == b"second"
    blob.delete_blob()
    try:
        blob.get_blob_properties()
        raise AssertionError("a deleted blob is still there")
    except ResourceNotFoundError:
        pass
    versions = [found for found in client.list_blobs(name_starts_with="b", include=["versions", "immutabilitypolicy"])]
    assert len(versions) == 2, versions
    first = [found for found in versions if found.immutability_policy.policy_mode]
    assert len(first) == 1 and first[0].immutability_policy.policy_mode.lower() == "locked"
    locked = client.get_blob_client("b", version_id=first[0].version_id)
    assert locked.download_blob().readall() == b"hello"
    refused("BlobImmutableDueToPolicy", lambda: locked.delete_blob())
    print("done")


def read():
    client = service().get_container_client(container)
    for found in client.list_blobs(include=["immutabilitypolicy"]):
        body = client.download_blob(found.name, validate_content=True).readall()
        policy = found.immutability_policy
        print(found.name, len(body), hashlib.sha256(body).hexdigest(), str(policy.policy_mode).lower(),
              policy.expiry_time and int(policy.expiry_time.timestamp()))


def versions():
    client = service().get_container_client(container)
    for found in client.list_blobs(include=["versions", "immutabilitypolicy"]):
        print(found.name, found.size, str(found.immutability_policy.policy_mode).lower())


def write(name, length):
    service().get_container_client(container).upload_blob(name, b"x" * int(length), overwrite=True)


{"check": check, "read": read, "versions": versions, "write": write}[sys.argv[5]](*sys.argv[6:])
