"""Writes sigv4-botocore.json: signatures by AWS's own Python client (botocore, pinned by .ci/install-python-tools).

Run from the repository's root: .build/python/bin/python Tests/KopiaCloudTests/Fixtures/make-sigv4-vectors.py
"""
import datetime, hashlib, json, pathlib
import botocore, botocore.auth, botocore.awsrequest, botocore.credentials

TIME = datetime.datetime(2026, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

# id, method, address as sent, header fields, body, session token
CASES = [
    ("get", "GET", "https://s3.eu-central-1.amazonaws.com/bucket/p0123", {}, "", None),
    ("virtual host", "GET", "https://bucket.s3.eu-central-1.amazonaws.com/a/p0123", {}, "", None),
    ("port", "GET", "http://127.0.0.1:9000/bucket/key", {}, "", None),
    ("encoded key", "GET", "http://127.0.0.1:9000/bucket/a%20b%2Bc%C3%A9/~x", {}, "", None),
    ("doubled slashes and dots", "GET", "http://127.0.0.1:9000/bucket//a/../b/./c", {}, "", None),
    ("list", "GET", "http://127.0.0.1:9000/bucket?list-type=2&prefix=a%2Fb", {}, "", None),
    ("token", "GET", "http://127.0.0.1:9000/bucket?continuation-token=a%3D%2B%2F&list-type=2&prefix=", {}, "", None),
    ("retention", "GET", "http://127.0.0.1:9000/bucket/key?retention=", {}, "", None),
    ("range", "GET", "http://127.0.0.1:9000/bucket/key", {"Range": "bytes=0-9"}, "", None),
    ("put", "PUT", "http://127.0.0.1:9000/bucket/key",
     {"Content-MD5": "XUFAKrxLKna5cZ2REBfFkg==", "Content-Type": "application/x-kopia",
      "x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": "2026-03-03T04:05:06Z"},
     "hello", None),
    ("session token", "GET", "http://127.0.0.1:9000/bucket/key", {}, "", "temporary/token+=="),
    ("blanks in a field", "GET", "http://127.0.0.1:9000/bucket/key", {"x-amz-meta-a": "  b   c  "}, "", None),
]


class Clock(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return TIME.replace(tzinfo=None)

    @classmethod
    def now(cls, tz=None):
        return TIME


def main():
    botocore.auth.datetime = type("datetime", (), {"datetime": Clock, "timezone": datetime.timezone})
    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True: TIME.replace(tzinfo=None) if remove_tzinfo else TIME
    vectors = []
    for name, method, url, headers, body, token in CASES:
        request = botocore.awsrequest.AWSRequest(method=method, url=url, headers=dict(headers), data=body.encode())
        request.context["payload_signing_enabled"] = True
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body.encode()).hexdigest()
        signer = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(KEY, SECRET, token), "s3", "eu-central-1")
        signer.add_auth(request)
        assert request.headers["X-Amz-Date"] == TIME.strftime("%Y%m%dT%H%M%SZ"), request.headers["X-Amz-Date"]
        vectors.append({"id": name, "method": method, "url": url, "headers": headers, "body": body, "token": token,
                        "authorization": request.headers["Authorization"]})
    text = {"program": f"botocore {botocore.__version__}", "time": "2026-02-03T04:05:06Z", "region": "eu-central-1",
            "accessKeyID": KEY, "secretAccessKey": SECRET, "vectors": vectors}
    path = pathlib.Path(__file__).with_name("sigv4-botocore.json")
    path.write_text(json.dumps(text, indent=1) + "\n")


main()
