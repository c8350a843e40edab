"""A small double of Azure Blob Storage for tests: shared-key, account-SAS and token check, block blobs in one piece and in blocks, ranges, paged lists, versions,
version-level immutability, error codes. Python's standard library only.

    azure_double.py [--no-versions] [--bearer=TOKEN] ACCOUNT BASE64KEY     prints "PORT <number>" when it listens on 127.0.0.1

Behaviour after Microsoft's REST reference (learn.microsoft.com, "Blob service REST API"):
  Authorize with Shared Key; Create an account SAS; Put Blob; Put Block; Put Block List; Get Blob; Get Blob Properties; List Blobs; Delete Blob; Create Container;
  Set Blob Immutability Policy; Delete Blob Immutability Policy; Blob versioning; Immutable storage, version-level scope;
  Common REST API error codes; Blob Storage error codes.
The official client (azure-storage-blob) is run against it too: azure_crosscheck.py.
Not there: committed blocks in a new list, leases, snapshots, tiers, conditional requests but If-Match on reads.
"""
import base64
import email.utils
import hashlib
import hmac
import http.server
import sys
import threading
import time
import urllib.parse
import uuid
import xml.etree.ElementTree
from xml.sax.saxutils import escape

LOCK = threading.RLock()
CLOCK_SKEW_SECONDS = 15 * 60


def http_date(seconds):
    return email.utils.formatdate(seconds, usegmt=True)


class Failure(Exception):
    def __init__(self, status, code, message, headers=None):
        super().__init__(code)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


class Version:
    def __init__(self, body, headers):
        self.body = body
        self.modified = int(time.time())
        self.etag = '"0x%s"' % uuid.uuid4().hex[:15].upper()
        self.identity = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".%07dZ" % (time.time_ns() // 100 % 10_000_000)
        self.md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        self.type = headers.get("Content-Type") or headers.get("x-ms-blob-content-type") or "application/octet-stream"
        self.metadata = {k[10:]: v for k, v in headers.items() if k.lower().startswith("x-ms-meta-")}
        self.policy = None  # (mode, until as seconds)

    def is_locked(self):
        return self.policy is not None and self.policy[1] > time.time()


class Blob:
    def __init__(self):
        self.versions = []
        self.current = None


class Account:
    def __init__(self, name, key, has_versions):
        self.name, self.key, self.has_versions = name, key, has_versions
        self.containers = {}
        self.blocks = {}  # (container, blob) to block ID to bytes, uncommitted
        self.token = None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    account = None

    def log_message(self, *arguments):
        pass

    # Entry ------------------------------------------------------------------------------------------------------

    def handle_request(self):
        body = b""
        try:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                self.close_connection = True
                raise Failure(411, "MissingContentLengthHeader", "Content-Length is required.")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urllib.parse.urlsplit(self.path)
            self.raw_path = parts.path
            self.query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
            with LOCK:
                self.authorize(body)
                status, headers, answer = self.route(body)
        except Failure as failure:
            text = '<?xml version="1.0" encoding="utf-8"?><Error><Code>%s</Code><Message>%s\nRequestId:%s\nTime:%s</Message></Error>' % (
                failure.code, escape(failure.message), uuid.uuid4(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
            status, answer = failure.status, b"\xef\xbb\xbf" + text.encode()
            headers = {"x-ms-error-code": failure.code, "Content-Type": "application/xml", **failure.headers}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("x-ms-request-id", str(uuid.uuid4()))
        self.send_header("x-ms-version", self.headers.get("x-ms-version", "2021-12-02"))
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_PUT = do_DELETE = do_HEAD = handle_request

    # Authorize with Shared Key ----------------------------------------------------------------------------------

    def authorize(self, body):
        def refuse(why):
            return Failure(403, "AuthenticationFailed",
                           "Server failed to authenticate the request. " + why)
        given = self.headers.get("Authorization", "")
        if not given and "sig" in self.query:
            return self.authorize_by_signature(refuse)
        if given.startswith("Bearer "):
            if self.account.token is None or given[7:] != self.account.token:
                raise Failure(401, "InvalidAuthenticationInfo", "Server failed to authenticate the request.")
            return
        if not given.startswith("SharedKey "):
            raise Failure(401, "NoAuthenticationInformation", "Server failed to authenticate the request.")
        name, _, signature = given[len("SharedKey "):].partition(":")
        date = self.headers.get("x-ms-date") or self.headers.get("Date") or ""
        try:
            when = email.utils.parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError):
            raise refuse("The date is missing or malformed.")
        if abs(when - time.time()) > CLOCK_SKEW_SECONDS:
            raise refuse("Request date header too old.")
        expected = base64.b64encode(hmac.new(base64.b64decode(self.account.key), self.string_to_sign().encode(),
                                             hashlib.sha256).digest()).decode()
        if name != self.account.name or not hmac.compare_digest(signature, expected):
            raise refuse("The MAC signature found in the HTTP request is not the same as any computed signature.")

    def authorize_by_signature(self, refuse):
        """An account SAS, versions 2020-12-06 and later."""
        get = lambda name: self.parameter(name) or ""
        text = "\n".join([self.account.name, get("sp"), get("ss"), get("srt"), get("st"), get("se"), get("sip"), get("spr"),
                          get("sv"), get("ses"), ""])
        expected = base64.b64encode(hmac.new(base64.b64decode(self.account.key), text.encode(), hashlib.sha256).digest()).decode()
        if not hmac.compare_digest(expected, get("sig")):
            raise refuse("Signature did not match.")
        if get("se") < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()):
            raise refuse("Signature not valid in the specified time frame.")

    def string_to_sign(self):
        get = lambda name: self.headers.get(name, "")
        length = get("Content-Length")
        text = [self.command, get("Content-Encoding"), get("Content-Language"), "" if length == "0" else length,
                get("Content-MD5"), get("Content-Type"), "" if "x-ms-date" in self.headers else get("Date"),
                get("If-Modified-Since"), get("If-Match"), get("If-None-Match"), get("If-Unmodified-Since"),
                get("Range")]
        fields = sorted((k.lower(), " ".join(v.split())) for k, v in self.headers.items() if k.lower().startswith("x-ms-"))
        text += ["%s:%s" % field for field in fields]
        resource = "/" + self.account.name + self.raw_path
        for key in sorted(self.query, key=str.lower):
            resource += "\n%s:%s" % (key.lower(), ",".join(sorted(self.query[key])))
        return "\n".join(text) + "\n" + resource

    # Routing ----------------------------------------------------------------------------------------------------

    def parameter(self, name):
        return self.query.get(name, [None])[0]

    def route(self, body):
        parts = urllib.parse.unquote(self.raw_path).split("/", 3)  # '', account, container, blob
        if len(parts) < 3 or parts[1] != self.account.name:
            raise Failure(400, "InvalidUri", "The requested URI does not represent any resource on the server.")
        container = parts[2]
        if len(parts) < 4 or not parts[3]:
            return self.container_operation(container)
        if container not in self.account.containers:
            raise Failure(404, "ContainerNotFound", "The specified container does not exist.")
        return self.blob_operation(self.account.containers[container], parts[3], body)

    def container_operation(self, name):
        if self.parameter("restype") != "container":
            raise Failure(400, "InvalidQueryParameterValue", "restype")
        if self.command == "PUT":
            if name in self.account.containers:
                raise Failure(409, "ContainerAlreadyExists", "The specified container already exists.")
            self.account.containers[name] = {}
            return 201, {"ETag": '"0x1"', "Last-Modified": http_date(time.time())}, b""
        if name not in self.account.containers:
            raise Failure(404, "ContainerNotFound", "The specified container does not exist.")
        if self.command in ("GET", "HEAD") and self.parameter("comp") == "list":
            return self.list_blobs(name, self.account.containers[name])
        if self.command in ("GET", "HEAD"):
            return 200, {"ETag": '"0x1"', "Last-Modified": http_date(time.time()),
                         "x-ms-immutable-storage-with-versioning-enabled": "true" if self.account.has_versions else "false"}, b""
        if self.command == "DELETE":
            del self.account.containers[name]
            return 202, {}, b""
        raise Failure(405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")

    def blob_operation(self, container, name, body):
        comp = self.parameter("comp")
        if comp == "immutabilityPolicies":
            version = self.find(container, name)
            return self.set_policy(version) if self.command == "PUT" else self.delete_policy(version)
        if comp == "block" and self.command == "PUT":
            return self.put_block(container, name, body)
        if comp == "blocklist" and self.command == "PUT":
            return self.put_block_list(container, name, body)
        if comp is not None:
            raise Failure(400, "InvalidQueryParameterValue", "comp")
        if self.command == "PUT":
            return self.put_blob(container, name, body)
        if self.command == "DELETE":
            return self.delete_blob(container, name)
        version = self.find(container, name)
        if self.command == "HEAD":
            return 200, {**self.properties(version), "Content-Length": str(len(version.body))}, b""
        return self.get_blob(version)

    def find(self, container, name):
        blob = container.get(name)
        wanted = self.parameter("versionid")
        version = None
        if blob is not None:
            version = blob.current if wanted is None else next((v for v in blob.versions if v.identity == wanted), None)
        if version is None:
            raise Failure(404, "BlobNotFound", "The specified blob does not exist.")
        return version

    # Blobs ------------------------------------------------------------------------------------------------------

    def policy_from_headers(self):
        until = self.headers.get("x-ms-immutability-policy-until-date")
        if until is None:
            return None
        mode = (self.headers.get("x-ms-immutability-policy-mode") or "Unlocked").lower()
        if not self.account.has_versions:
            raise Failure(409, "ImmutabilityPolicyNotSupported",
                          "Version-level immutability is not enabled on this container.")
        try:
            seconds = email.utils.parsedate_to_datetime(until).timestamp()
        except (TypeError, ValueError):
            raise Failure(400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.")
        if mode not in ("locked", "unlocked") or seconds <= time.time():
            raise Failure(400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.")
        return mode, seconds

    def put_blob(self, container, name, body):
        if self.headers.get("x-ms-blob-type") != "BlockBlob":
            raise Failure(400, "MissingRequiredHeader", "x-ms-blob-type")
        given = self.headers.get("Content-MD5") or self.headers.get("x-ms-blob-content-md5")
        version = Version(body, self.headers)
        if given is not None and given != version.md5:
            raise Failure(400, "Md5Mismatch", "The MD5 value specified in the request did not match the one calculated by the server.")
        version.policy = self.policy_from_headers()
        blob = container.setdefault(name, Blob())
        if not self.account.has_versions:
            if blob.current is not None and blob.current.is_locked():
                raise Failure(409, "BlobImmutableDueToPolicy", "This operation is not permitted as the blob is immutable due to a policy.")
            blob.versions = []
        while any(v.identity == version.identity for v in blob.versions):
            version.identity = version.identity[:-2] + "9Z" if not version.identity.endswith("9Z") else version.identity[:-3] + "8Z"
        blob.versions.append(version)
        blob.current = version
        headers = {"ETag": version.etag, "Last-Modified": http_date(version.modified), "Content-MD5": version.md5,
                   "x-ms-request-server-encrypted": "true"}
        if self.account.has_versions:
            headers["x-ms-version-id"] = version.identity
        return 201, headers, b""

    def check_md5(self, body):
        given = self.headers.get("Content-MD5")
        if given is not None and given != base64.b64encode(hashlib.md5(body).digest()).decode():
            raise Failure(400, "Md5Mismatch", "The MD5 value specified in the request did not match the one calculated by the server.")

    def put_block(self, container, name, body):
        identity = self.parameter("blockid") or ""
        try:
            length = len(base64.b64decode(identity, validate=True))
        except ValueError:
            length = 0
        blocks = self.account.blocks.setdefault((id(container), name), {})
        if not 1 <= length <= 64 or any(len(base64.b64decode(other)) != length for other in blocks):
            raise Failure(400, "InvalidBlobOrBlock", "The specified blob or block content is invalid.")
        self.check_md5(body)
        blocks[identity] = body
        return 201, {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}, b""

    def put_block_list(self, container, name, body):
        self.check_md5(body)
        blocks = self.account.blocks.get((id(container), name), {})
        try:
            wanted = [item.text for item in xml.etree.ElementTree.fromstring(body)]
            content = b"".join(blocks[identity] for identity in wanted)
        except xml.etree.ElementTree.ParseError:
            raise Failure(400, "InvalidXmlDocument", "XML specified is not syntactically valid.")
        except KeyError:
            raise Failure(400, "InvalidBlockList", "The specified block list is invalid.")
        if len(wanted) > 50_000:
            raise Failure(400, "BlockListTooLong", "The block list may not contain more than 50,000 blocks.")
        self.account.blocks.pop((id(container), name), None)
        for header in ("Content-MD5", "x-ms-blob-type"):
            while header in self.headers:
                del self.headers[header]
        self.headers["x-ms-blob-type"] = "BlockBlob"
        return self.put_blob(container, name, content)

    def properties(self, version):
        headers = {"ETag": version.etag, "Last-Modified": http_date(version.modified), "Content-Type": version.type,
                   "x-ms-blob-type": "BlockBlob", "Accept-Ranges": "bytes", "x-ms-server-encrypted": "true",
                   "x-ms-creation-time": http_date(version.modified)}
        if self.account.has_versions:
            headers["x-ms-version-id"] = version.identity
        for key, value in version.metadata.items():
            headers["x-ms-meta-" + key] = value
        if version.policy is not None:
            headers["x-ms-immutability-policy-mode"] = version.policy[0]
            headers["x-ms-immutability-policy-until-date"] = http_date(version.policy[1])
        return headers

    def get_blob(self, version):
        size = len(version.body)
        if self.headers.get("If-Match", version.etag) != version.etag:
            raise Failure(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
        wanted = self.headers.get("x-ms-range") or self.headers.get("Range")
        if wanted is None:
            return 200, {**self.properties(version), "Content-MD5": version.md5}, version.body
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        first, last = int(first), int(last) if last else size - 1
        if first >= size or last < first:
            raise Failure(416, "InvalidRange", "The range specified is invalid for the current size of the resource.",
                          {"Content-Range": "bytes */%d" % size})
        last = min(last, size - 1)
        return 206, {**self.properties(version), "Content-Range": "bytes %d-%d/%d" % (first, last, size)}, version.body[first:last + 1]

    def delete_blob(self, container, name):
        version = self.find(container, name)
        if version.is_locked():
            raise Failure(409, "BlobImmutableDueToPolicy", "This operation is not permitted as the blob is immutable due to a policy.")
        blob = container[name]
        if self.parameter("versionid") is None and self.account.has_versions:
            blob.current = None  # what was current stays as a version
        else:
            blob.versions.remove(version)
            if blob.current is version:
                blob.current = None
        return 202, {"x-ms-delete-type-permanent": "true"}, b""

    # Immutability -----------------------------------------------------------------------------------------------

    def set_policy(self, version):
        policy = self.policy_from_headers()
        if policy is None:
            raise Failure(400, "MissingRequiredHeader", "x-ms-immutability-policy-until-date")
        if version.policy is not None and version.policy[0] == "locked":
            if policy[0] != "locked" or policy[1] < version.policy[1]:
                raise Failure(409, "BlobImmutableDueToPolicy", "A locked immutability policy can only be extended.")
        version.policy = policy
        return 200, {"x-ms-immutability-policy-mode": policy[0],
                     "x-ms-immutability-policy-until-date": http_date(policy[1])}, b""

    def delete_policy(self, version):
        if version.policy is not None and version.policy[0] == "locked":
            raise Failure(409, "BlobImmutableDueToPolicy", "A locked immutability policy cannot be deleted.")
        version.policy = None
        return 200, {}, b""

    # Lists ------------------------------------------------------------------------------------------------------

    def list_blobs(self, name, container):
        include = {item for value in self.query.get("include", []) for item in value.split(",")}
        prefix = self.parameter("prefix") or ""
        size = min(int(self.parameter("maxresults") or 5000), 5000)
        entries = []
        for key in sorted(container):
            if key.startswith(prefix):
                blob = container[key]
                versions = blob.versions if "versions" in include else [blob.current] if blob.current else []
                entries += [(key, blob, version) for version in versions]
        start = int(base64.b64decode(self.parameter("marker") or base64.b64encode(b"0").decode()))
        marker = base64.b64encode(b"%d" % (start + size)).decode() if start + size < len(entries) else ""
        items = "".join(self.list_entry(*entry, include) for entry in entries[start:start + size])
        text = ('<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://127.0.0.1/" ContainerName="%s">'
                "<Prefix>%s</Prefix><MaxResults>%d</MaxResults><Blobs>%s</Blobs><NextMarker>%s</NextMarker></EnumerationResults>"
                % (escape(name), escape(prefix), size, items, marker))
        return 200, {"Content-Type": "application/xml"}, b"\xef\xbb\xbf" + text.encode()

    def list_entry(self, key, blob, version, include):
        text = "<Blob><Name>%s</Name>" % escape(key)
        if self.account.has_versions:
            text += "<VersionId>%s</VersionId>" % version.identity
            if version is blob.current:
                text += "<IsCurrentVersion>true</IsCurrentVersion>"
        text += ("<Properties><Creation-Time>%s</Creation-Time><Last-Modified>%s</Last-Modified><Etag>%s</Etag><Content-Length>%d</Content-Length>"
                 "<Content-Type>%s</Content-Type><Content-MD5>%s</Content-MD5><BlobType>BlockBlob</BlobType>"
                 % (http_date(version.modified), http_date(version.modified), escape(version.etag), len(version.body),
                    escape(version.type), version.md5))
        if "immutabilitypolicy" in include and version.policy is not None:
            text += ("<ImmutabilityPolicyUntilDate>%s</ImmutabilityPolicyUntilDate><ImmutabilityPolicyMode>%s</ImmutabilityPolicyMode>"
                     % (http_date(version.policy[1]), version.policy[0]))
        text += "</Properties>"
        if "metadata" in include:
            text += "<Metadata>%s</Metadata>" % "".join(
                "<%s>%s</%s>" % (k, escape(v), k) for k, v in version.metadata.items())
        return text + "</Blob>"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    Handler.account = Account(arguments[0], arguments[1], "--no-versions" not in sys.argv)
    Handler.account.token = next((a[9:] for a in sys.argv if a.startswith("--bearer=")), None)
    server = Server(("127.0.0.1", 0), Handler)
    print("PORT %d" % server.server_address[1], flush=True)
    server.serve_forever()


main()
