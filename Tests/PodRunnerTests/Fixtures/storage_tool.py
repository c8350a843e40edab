"""What an administrator, or an attacker, does to a bucket or container, with the services' own clients.

    storage_tool.py s3 ENDPOINT COMMAND BUCKET [KEY [VERSION]]
    storage_tool.py azure ENDPOINT COMMAND CONTAINER [KEY]         account and key: AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_KEY

    make        a new one; make-locking: with versions and object lock (S3)
    keys        prints the name of each visible object
    overwrite   puts the object's own bytes on top of it, without a lock
    delete      deletes it, or, with VERSION, that version of it
    hide        Azure: puts an empty version on top and deletes that, as kopia does with locked blobs
"""
import os
import sys

kind, endpoint, command, container = sys.argv[1:5]
key = sys.argv[5] if len(sys.argv) > 5 else None
version = sys.argv[6] if len(sys.argv) > 6 else None


def s3():
    import boto3
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    if command in ("make", "make-locking"):
        client.create_bucket(Bucket=container, ObjectLockEnabledForBucket=command == "make-locking")
    elif command == "keys":
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=container):
            for item in page.get("Contents", []):
                print(item["Key"])
    elif command == "overwrite":
        client.put_object(Bucket=container, Key=key, Body=client.get_object(Bucket=container, Key=key)["Body"].read())
    elif command == "delete":
        client.delete_object(Bucket=container, Key=key, **({"VersionId": version} if version else {}))
    else:
        sys.exit("unknown command " + command)


def azure():
    from azure.storage.blob import BlobServiceClient
    credential = {"account_name": os.environ["AZURE_STORAGE_ACCOUNT"], "account_key": os.environ["AZURE_STORAGE_KEY"]}
    client = BlobServiceClient(endpoint, credential=credential, retry_total=0).get_container_client(container)
    if command in ("make", "make-locking"):
        client.create_container()
    elif command == "keys":
        for item in client.list_blobs():
            print(item.name)
    elif command == "overwrite":
        client.upload_blob(key, client.download_blob(key).readall(), overwrite=True)
    elif command == "hide":
        client.upload_blob(key, b"", overwrite=True)
        client.delete_blob(key)
    else:
        sys.exit("unknown command " + command)


{"s3": s3, "azure": azure}[kind]()
