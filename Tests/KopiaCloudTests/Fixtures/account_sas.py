"""Prints an account SAS made by Microsoft's own client, good for an hour: account_sas.py ACCOUNT BASE64KEY"""
import datetime
import sys

from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

print(generate_account_sas(
    sys.argv[1], sys.argv[2], ResourceTypes(service=True, container=True, object=True),
    AccountSasPermissions(read=True, write=True, delete=True, list=True, create=True),
    datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)))
