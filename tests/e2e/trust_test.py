"""Every kind of client trusts the sandbox's authority with no option given, each by its own way of finding certificates."""

import os
import pathlib
import shutil
import subprocess
import unittest

import harness

URL = "https://www.example.com/"

GO_PROGRAM = """package main

import ("fmt"; "io"; "net/http"; "os")

func main() {
	response, err := http.Get(os.Args[1])
	if err != nil { fmt.Fprintln(os.Stderr, err); os.Exit(1) }
	body, _ := io.ReadAll(response.Body)
	fmt.Print(string(body))
}
"""

JAVA_PROGRAM = """import java.io.*;
import java.net.*;
import java.net.http.*;
import javax.net.ssl.HttpsURLConnection;

public class Fetch {
    public static void main(String[] args) throws Exception {
        URI uri = URI.create(args[0]);
        HttpRequest request = HttpRequest.newBuilder(uri).build();
        HttpResponse<String> answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        System.out.print(answer.statusCode() + " " + answer.body());
        HttpsURLConnection connection = (HttpsURLConnection) uri.toURL().openConnection();
        System.out.print(connection.getResponseCode() + " ");
        connection.getInputStream().transferTo(System.out);
    }
}
"""


def go():
    return shutil.which("go", path=os.environ["PATH"] + ":/usr/local/go/bin:/usr/lib/go/bin")


def virtual_machines():
    """Each JVM once, by its real place."""
    found = {}
    for java in [shutil.which("java")] + [str(p) for p in pathlib.Path("/usr/lib/jvm").glob("*/bin/java")]:
        if java and (pathlib.Path(os.path.realpath(java)).parent / "javac").exists():
            found.setdefault(os.path.realpath(java))
    return list(found)


class Trust(harness.ApplianceTest):
    def setUp(self):
        self.sid = self.create_session()

    def fetch_bare(self, *command):
        """The same with an empty environment: by the files alone."""
        return self.assert_runs(self.sid, "env", "-i", "PATH=/usr/bin:/bin", *command)

    def test_files_alone_suffice(self):
        self.assertEqual(self.fetch_bare("curl", "-sS", URL), b"hello\n")
        self.assertEqual(self.fetch_bare("wget", "-q", "-O", "-", URL), b"hello\n")
        program = "import urllib.request; print(urllib.request.urlopen('%s').read())" % URL
        self.assertEqual(self.fetch_bare("/usr/bin/python3", "-c", program), b"b'hello\\n'\n")
        program = "import requests; print(requests.get('%s').text, end='')" % URL
        self.assertEqual(self.fetch_bare("/usr/bin/python3", "-c", program), b"hello\n")
        output = self.fetch_bare("sh", "-c", "openssl s_client -connect www.example.com:443 -servername www.example.com"
                                             " -verify_return_error </dev/null")
        self.assertIn(b"Verify return code: 0 (ok)", output)
        self.assertIn(b"s:CN = www.example.com", output)

    def test_openssl_checks_the_name(self):
        output = self.assert_runs(self.sid, "sh", "-c", "openssl s_client -connect www.example.com:443"
                                  " -verify_hostname www.example.com -verify_return_error </dev/null")
        self.assertIn(b"Verified peername: www.example.com", output)

    @unittest.skipUnless(go(), "Go is not installed")
    def test_go(self):
        source = self.workspace / "fetch.go"
        source.write_text(GO_PROGRAM)
        binary = self.workspace / "go-fetch"
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/root"), "CGO_ENABLED": "0",
                       "GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
        subprocess.run([go(), "build", "-o", binary, source], env=environment, check=True, timeout=110)
        self.assertEqual(self.assert_runs(self.sid, binary, URL), b"hello\n")
        self.assertEqual(self.fetch_bare(binary, URL), b"hello\n")
        refused = self.run_in(self.sid, binary, "https://denied.example.org/")
        self.assertEqual(refused.returncode, 1)

    @unittest.skipUnless(virtual_machines(), "no JDK is installed")
    def test_jvm(self):
        source = self.workspace / "Fetch.java"
        source.write_text(JAVA_PROGRAM)
        for number, java in enumerate(virtual_machines()):
            classes = self.workspace / f"classes{number}"
            harness.run(pathlib.Path(java).parent / "javac", "-d", classes, source)
            result = self.run_in(self.sid, java, "-cp", classes, "Fetch", URL)
            self.assertEqual((result.returncode, result.stdout), (0, b"200 hello\n200 hello\n"), (java, result))
            # Nothing of ours in what it prints.
            self.assertEqual(result.stderr, b"")

    @unittest.skipUnless(virtual_machines(), "no JDK is installed")
    def test_jvm_runs_a_source_file(self):
        source = self.workspace / "Fetch.java"
        source.write_text(JAVA_PROGRAM)
        self.assertEqual(self.assert_runs(self.sid, virtual_machines()[0], source, URL), b"200 hello\n200 hello\n")

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_node(self):
        for program in (f"fetch('{URL}').then(r => r.text()).then(t => process.stdout.write(t))",
                        f"require('https').get('{URL}', r => r.pipe(process.stdout))"):
            self.assertEqual(self.assert_runs(self.sid, shutil.which("node"), "-e", program), b"hello\n")

    def test_nobody_outside_trusts_it(self):
        # The authority is the session's alone: the host's own files are as they were.
        authority = self.assert_runs(self.sid, "sh", "-c", "tail -c 400 /etc/ssl/certs/ca-certificates.crt")
        self.assertNotIn(authority, pathlib.Path("/etc/ssl/certs/ca-certificates.crt").read_bytes())

    def test_the_key_is_out_of_reach(self):
        result = self.shell(self.sid, f"cat {self.appliance.home}/state/ca/* ; find {self.appliance.home}/state")
        self.assertNotIn(b"PRIVATE", result.stdout)
        self.assertNotIn(b"/ca", result.stdout)


if __name__ == "__main__":
    harness.main()
