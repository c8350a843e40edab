#!/usr/bin/env python3
"""Cold processes of karaffe: parse, validate and render of two blueprints, eval of 10,000 expressions.

usage: control_plane.py KARAFFE

BENCH_COLD_RUNS  runs of each measurement, of which the median counts (25)

"parse" is `karaffe inputs`: reads the YAML and every template, and renders nothing. "start" is `karaffe --version`.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

KARAFFE = os.path.abspath(sys.argv[1])
RUNS = int(os.environ.get("BENCH_COLD_RUNS", 25))
HERE = os.path.dirname(os.path.abspath(__file__))
VECTORS = os.path.join(HERE, "..", "Tests", "GoTemplateTests", "Fixtures", "kanister-template-vectors.json")

PHASE = """\
    - func: KubeTask
      name: {name}
      objects:
        admin:
          kind: Secret
          name: '{{{{ index .Options "adminSecret" | default "admin" }}}}'
          namespace: kasten-io
      args:
        namespace: '{{{{ .Object.metadata.namespace }}}}'
        image: '{{{{ index .Options "image" | default "postgres:17" }}}}'
        podLabels:
          app: dump-{number}
        podOverride:
          containers:
          - name: container
            env:
            - name: PGHOST
              value: '{{{{ .Object.data.host | b64dec }}}}'
            - name: PGPASSWORD
              value: '{{{{ index .Phases.{name}.Secrets.admin.Data "password" | toString | replace "$" "$$" }}}}'
            - name: PROFILE
              value: '{{{{ toJson .Profile | replace "$" "$$" }}}}'
        command:
        - bash
        - -o
        - errexit
        - -o
        - pipefail
        - -c
        - |
          stamp='{{{{ toDate "2006-01-02T15:04:05.999999999Z07:00" .Time | date "2006-01-02T15-04-05" }}}}'
          path="pg/{{{{ .Object.metadata.namespace }}}}/$stamp/{number}.sql"
          {{{{- if index .Options "schema" }}}}
          args=(--schema '{{{{ index .Options "schema" }}}}')
          {{{{- else }}}}
          args=()
          {{{{- end }}}}
          {{{{- range $name, $value := .Object.metadata.labels }}}}
          echo "label {{{{ $name }}}} is {{{{ $value | quote }}}}"
          {{{{- end }}}}
          pg_dump "${{args[@]}}" | kando location push --profile "$PROFILE" --path "$path" --output-name out{number} -
          kando output path{number} "$path"
"""


def blueprint(lines):
    """A blueprint of about so many lines, one action `backup`, phases as real ones have them."""
    head = ("apiVersion: cr.kanister.io/v1alpha1\nkind: Blueprint\nmetadata:\n  name: bench\n  namespace: kasten-io\n"
            "actions:\n  backup:\n    kind: Secret\n")
    count = max(1, round((lines - 8) / (PHASE.count("\n") + 2)))
    artifacts = "    outputArtifacts:\n      backup:\n        keyValue:\n"
    for number in range(count):
        artifacts += f"          path{number}: '{{{{ .Phases.dump{number}.Output.path{number} }}}}'\n"
    phases = "    phases:\n" + "".join(PHASE.format(name=f"dump{number}", number=number) for number in range(count))
    return head + artifacts + phases


CLUSTER = """\
apiVersion: v1
kind: Secret
metadata: {name: admin, namespace: kasten-io}
stringData: {username: postgres, password: administrator-password}
---
apiVersion: v1
kind: Secret
metadata: {name: app1, namespace: app1, labels: {app: one, tier: db, owner: team}}
stringData: {host: db.example, username: app1, password: application-password}
---
apiVersion: cr.kanister.io/v1alpha1
kind: Profile
metadata: {name: local, namespace: kasten-io}
location: {type: filesystem, bucket: /tmp/repository}
credential:
  type: kopia
  kopiaServerSecret:
    username: u
    hostname: h
    userPassphrase: {key: password, secret: {name: admin, namespace: kasten-io}}
"""


def measure(arguments):
    """Median wall and CPU milliseconds of cold processes, and the last one's output."""
    walls, cpus = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryFile() as kept:
            start = time.monotonic()
            child = subprocess.Popen([KARAFFE] + arguments, stdout=kept, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(child.pid, 0)
            walls.append(time.monotonic() - start)
            child.returncode = os.waitstatus_to_exitcode(status)
            cpus.append(usage.ru_utime + usage.ru_stime)
            kept.seek(0)
            output = kept.read().decode()
        if child.returncode != 0:
            sys.exit(f"karaffe {' '.join(arguments)}: exit {child.returncode}\n{output}")
    return statistics.median(walls) * 1e3, statistics.median(cpus) * 1e3, usage.ru_maxrss / 1024, output


def row(what, arguments):
    wall, cpu, memory, output = measure(arguments)
    print(f"| {what} | {wall:.1f} | {cpu:.1f} | {memory:.0f} |", flush=True)
    return output


def right(answer, vector):
    if "output" in vector:
        return answer.get("text") == vector["output"]
    error = answer.get("error", "")
    return error == vector["error"] if "error" in vector else vector.get("errorContains", "") in error != ""


def batch(folder, count=10_000):
    """Kanister's vectors again and again; the answers have to be the recorded ones."""
    with open(VECTORS) as file:
        vectors = json.load(file)["template"]
    path = os.path.join(folder, "batch.jsonl")
    with open(path, "w") as file:
        for number in range(count):
            vector = vectors[number % len(vectors)]
            file.write(json.dumps({"id": number, "template": vector["template"]}) + "\n")
    output = row(f"eval --batch, {count:,} expressions", ["eval", "--batch", path, "--params", VECTORS])
    answers = [json.loads(line) for line in output.splitlines()]
    wrong = [answer for answer in answers if not right(answer, vectors[answer["id"] % len(vectors)])]
    print(f"\n{len(answers) - len(wrong):,} of {len(answers):,} answers are the recorded texts and errors", flush=True)
    if wrong:
        sys.exit(f"first wrong answer: {wrong[0]}")


def main():
    with tempfile.TemporaryDirectory(prefix="karaffe-bench-") as folder:
        os.mkdir(os.path.join(folder, "cluster"))
        with open(os.path.join(folder, "cluster", "all.yaml"), "w") as file:
            file.write(CLUSTER)
        inputs = ["--action", "backup", "--cluster-dir", os.path.join(folder, "cluster"), "--object",
                  "secret/app1/app1", "--profile", "kasten-io/local", "--time", "2026-01-02T03:04:05Z"]
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, median of {RUNS} cold processes\n")
        print("| what | wall ms | CPU ms | peak MB |\n|---|---:|---:|---:|")
        row("start", ["--version"])
        for lines in (600, 2_500):
            text = blueprint(lines)
            path = os.path.join(folder, f"blueprint-{lines}.yaml")
            with open(path, "w") as file:
                file.write(text)
            size = text.count("\n")
            row(f"parse, {size:,} lines", ["inputs", path])
            row(f"validate, {size:,} lines", ["validate", path])
            row(f"render, {size:,} lines", ["render", path] + inputs)
        batch(folder)


main()
