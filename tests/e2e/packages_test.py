"""Package managers against registries that the test makes: npm, pip, apt."""

import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import unittest
import zipfile

import harness
import servers


def static_site(name):
    def site(world):
        root = world.directory / name
        root.mkdir()
        return world.server_block([f"{name}.example.com"], *world.good,
                                  extra=f"location / {{ root {root}; }}")
    return site


for _name in ("registry", "pypi", "apt"):
    harness.SITES.append(static_site(_name))


def npm_package(root, name, version, script, dependencies=None):
    """A package and its document, as a registry has them."""
    manifest = {"name": name, "version": version, "main": "index.js", "dependencies": dependencies or {}}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in (("package.json", json.dumps(manifest)), ("index.js", script)):
            entry = tarfile.TarInfo("package/" + path)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    data = packed.getvalue()
    tarball = f"{name}/-/{name.split('/')[-1]}-{version}.tgz"
    target = root / "tarballs" / tarball
    target.parent.mkdir(parents=True)
    target.write_bytes(data)
    manifest["dist"] = {"tarball": f"https://registry.example.com/tarballs/{tarball}",
                        "integrity": "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()}
    document = root / name
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text(json.dumps({"name": name, "dist-tags": {"latest": version}, "versions": {version: manifest}}))


@unittest.skipUnless(shutil.which("npm"), "npm is not installed")
class Npm(harness.ApplianceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        root = cls.world.directory / "registry"
        npm_package(root, "@scope/words", "2.1.0", "module.exports = ['hello', 'from', 'npm']")
        npm_package(root, "greeter", "1.0.0", "module.exports = () => require('@scope/words').join(' ')",
                    {"@scope/words": "^2.0.0"})

    def setUp(self):
        self.sid = self.create_session()
        (self.workspace / ".npmrc").write_text("registry=https://registry.example.com/\ncache=.npm-cache\n"
                                               "audit=false\nfund=false\nupdate-notifier=false\n")

    def test_install(self):
        npm = shutil.which("npm")
        self.assert_runs(self.sid, npm, "install", "greeter")
        output = self.assert_runs(self.sid, shutil.which("node"), "-e", "console.log(require('greeter')())")
        self.assertEqual(output, b"hello from npm\n")
        fetched = {e["fields"]["path"] for e in self.events(self.sid) if e["type"] == "net_http_request"}
        self.assertIn("/tarballs/greeter/-/greeter-1.0.0.tgz", fetched)
        # From the lock file, into an empty tree, without the cache.
        self.shell(self.sid, "rm -r node_modules .npm-cache")
        self.assert_runs(self.sid, npm, "ci")
        self.assertTrue((self.workspace / "node_modules/@scope/words/index.js").exists())

    def test_a_denied_registry_is_an_error_at_once(self):
        result = self.run_in(self.sid, shutil.which("npm"), "install", "greeter",
                             "--registry=https://denied.example.org/", "--fetch-retries=0")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(b"denied.example.org", result.stderr)


def wheel(root, name, version, source, requires=()):
    """A wheel and its page in a simple index (PEP 503), with its hash."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {one}\n" for one in requires)
    files = {f"{name}.py": source, f"{info}/METADATA": metadata,
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}\n"
        for path, text in files.items())
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    data = packed.getvalue()
    file = f"{name}-{version}-py3-none-any.whl"
    (root / "files").mkdir(exist_ok=True)
    (root / "files" / file).write_bytes(data)
    page = root / "simple" / name / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<!DOCTYPE html><a href="../../files/{file}#sha256={hashlib.sha256(data).hexdigest()}">{file}</a>')


def has_pip():
    return subprocess.run(["/usr/bin/python3", "-m", "pip", "--version"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


@unittest.skipUnless(has_pip(), "pip is not installed")
class Pip(harness.ApplianceTest):
    index = ("--index-url", "https://pypi.example.com/simple/")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        root = cls.world.directory / "pypi"
        wheel(root, "words", "2.1", "WORDS = ['hello', 'from', 'pip']\n")
        wheel(root, "greeter", "1.0", "import words\ndef greet(): return ' '.join(words.WORDS)\n", ["words>=2"])

    def setUp(self):
        self.sid = self.create_session()

    def test_install_into_a_directory(self):
        self.assert_runs(self.sid, "/usr/bin/python3", "-m", "pip", "install", *self.index, "--target", "site", "greeter")
        output = self.shell(self.sid, "PYTHONPATH=site /usr/bin/python3 -c 'import greeter; print(greeter.greet())'")
        self.assertEqual(output.stdout, b"hello from pip\n", output)

    def test_install_into_a_virtual_environment(self):
        # Its pip brings certificates of its own and has to be told ours.
        self.assert_runs(self.sid, "/usr/bin/python3", "-m", "venv", "env")
        self.assert_runs(self.sid, "env/bin/pip", "install", *self.index, "greeter")
        output = self.assert_runs(self.sid, "env/bin/python", "-c", "import greeter; print(greeter.greet())")
        self.assertEqual(output, b"hello from pip\n")


class Apt(harness.ApplianceTest):
    """apt-get with private state directories, from a signed repository."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        root = cls.world.directory / "apt"
        tree = cls.world.directory / "deb"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text("Package: greeter\nVersion: 1.0\nArchitecture: all\n"
                                             "Maintainer: Somebody <somebody@example.com>\nDescription: greets\n")
        (tree / "usr/share/greeter").mkdir(parents=True)
        (tree / "usr/share/greeter/text").write_bytes(os.urandom(300_000))
        (root / "pool").mkdir(parents=True)
        deb = root / "pool/greeter_1.0_all.deb"
        harness.run("dpkg-deb", "--root-owner-group", "--build", tree, deb)
        cls.deb = deb.read_bytes()
        binary = root / "dists/stable/main/binary-all"
        binary.mkdir(parents=True)
        packages = (tree / "DEBIAN/control").read_text() + (
            f"Filename: pool/{deb.name}\nSize: {len(cls.deb)}\nSHA256: {hashlib.sha256(cls.deb).hexdigest()}\n\n")
        (binary / "Packages").write_text(packages)
        (binary / "Packages.gz").write_bytes(gzip.compress(packages.encode()))
        release = ("Origin: Test\nSuite: stable\nCodename: stable\nArchitectures: all amd64\nComponents: main\n"
                   "Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n")
        for path in (binary / "Packages", binary / "Packages.gz"):
            data = path.read_bytes()
            release += f" {hashlib.sha256(data).hexdigest()} {len(data)} {path.relative_to(root / 'dists/stable')}\n"
        (root / "dists/stable/Release").write_text(release)
        home = cls.world.directory / "gnupg"
        home.mkdir(mode=0o700)
        gpg = ("gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "")
        harness.run(*gpg, "--quick-generate-key", "archive@example.com", "ed25519", "sign", "2d")
        harness.run(*gpg, "--clearsign", "-o", root / "dists/stable/InRelease", root / "dists/stable/Release")
        cls.keyring = harness.run(*gpg, "--export").stdout
        harness.run("gpgconf", "--homedir", home, "--kill", "gpg-agent")

    def setUp(self):
        self.sid = self.create_session()

    def apt(self, url):
        work = self.workspace
        (work / "archive.gpg").write_bytes(self.keyring)
        for directory in ("state/lists/partial", "cache/archives/partial", "etc/apt.conf.d"):
            (work / directory).mkdir(parents=True, exist_ok=True)
        (work / "sources.list").write_text(f"deb [signed-by={work}/archive.gpg] {url} stable main\n")
        (work / "apt.conf").write_text(
            f'Dir::State "{work}/state"; Dir::State::status "/dev/null"; Dir::Cache "{work}/cache";\n'
            f'Dir::Etc::sourcelist "{work}/sources.list"; Dir::Etc::sourceparts "-"; Dir::Etc::parts "-";\n'
            # There is no other user in a session to become.
            'APT::Sandbox::User ""; Acquire::Languages "none"; Acquire::Check-Date "false"; Acquire::Retries "0"; APT::Architecture "amd64";\n')
        harness.run("chown", "-R", str(self.owner()), work)
        self.assert_runs(self.sid, "env", f"APT_CONFIG={work}/apt.conf", "apt-get", "-q", "-o", "APT::Update::Error-Mode=any",
                         "update")
        self.assert_runs(self.sid, "env", f"APT_CONFIG={work}/apt.conf", "apt-get", "-q", "download", "greeter")
        self.assertEqual((work / "greeter_1.0_all.deb").read_bytes(), self.deb)

    def owner(self):
        return self.appliance.user.pw_uid if self.appliance.user else 0

    def test_over_http(self):
        self.apt("http://apt.example.com")

    def test_over_https(self):
        self.apt("https://apt.example.com")

    def test_a_denied_mirror(self):
        with self.assertRaisesRegex(AssertionError, "denied.example.org"):
            self.apt("https://denied.example.org")


if __name__ == "__main__":
    harness.main()
