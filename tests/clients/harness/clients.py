"""The clients of the matrix: how their drivers are started, and what is particular about each."""

import os
import pathlib
import shutil
import subprocess
import sys
import typing

ROOT = pathlib.Path(__file__).parents[1]
HOME = pathlib.Path(os.environ.get("OTTLA_TEST_HOME", ROOT.parents[1] / "target" / "tests")).resolve()
PYTHON_DRIVERS = ROOT / "drivers" / "python"
PYTHON = HOME / "python" / "bin" / "python"
NODE = HOME / "node" / "node"
# for the scripts and drivers: KAFKA_CLASSES is where tests/kafka/kafka looks for classes besides its own
os.environ.update(OTTLA_TEST_HOME=str(HOME), KAFKA_CLASSES=str(HOME / "java" / "classes"))
KAFKA = ROOT.parent / "kafka" / "kafka"


class Client(typing.NamedTuple):
    """A row of the matrix."""

    name: str
    part: str
    """What `install` calls it."""
    needs: tuple
    """The programs that the machine must have."""
    command: tuple = ()
    creates_topics: bool = True
    sets_timestamps: bool = True
    null_headers: bool = True
    eager_assignor: str = "range"
    late_is_end: bool = False
    """Whether the client turns the -1 for a time after the last record into the end offset."""

    def missing_programs(self):
        return [program for program in self.needs if shutil.which(program) is None]


def _python(name, driver, **particulars):
    return Client(name, "python", ("python3",), (str(PYTHON), str(PYTHON_DRIVERS / driver)), **particulars)


def _node(name, driver, **particulars):
    return Client(name, "node", ("npm",), (str(NODE), str(HOME / "node" / driver)), **particulars)


def _go(name, binary, **particulars):
    return Client(name, "go", ("go",), (str(HOME / "go" / binary),), **particulars)


CLIENTS = (
    Client("tools", "kafka", ("java", "mvn")),
    Client("java", "java", ("java", "javac", "mvn"), (str(KAFKA), "tool", "ottla.Driver")),
    _node("kafkajs", "kafkajs.js", eager_assignor="RoundRobinAssigner",
          null_headers=False, late_is_end=True),
    _node("platformatic", "platformatic.js", eager_assignor="roundrobin"),
    _python("kafka-python", "kafka_python_driver.py", null_headers=False),
    _python("aiokafka", "aiokafka_driver.py"),
    _python("librdkafka", "confluent_driver.py"),
    Client("kcat", "kcat", ("apt-get", "dpkg-deb"), (sys.executable, str(PYTHON_DRIVERS / "kcat_driver.py")),
           creates_topics=False, sets_timestamps=False, null_headers=False),
    _go("franz-go", "franz", late_is_end=True),
    _go("sarama", "sarama"),
)


def install(parts):
    """Installs what is not installed yet."""
    if subprocess.run([ROOT / "install", *sorted(set(parts))], stdout=sys.stderr).returncode:
        sys.exit("the clients could not be installed")


def impossible():
    """What the README's table says that a client cannot do: {(client, test): reason}."""
    table = (ROOT / "README.md").read_text().split("## What a client cannot do", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("| \n").split("|")] for line in table.splitlines() if "|" in line]
    return {
        (client, test.strip()): reason for client, tests, reason in rows[2:] for test in tests.split(",")
    }
