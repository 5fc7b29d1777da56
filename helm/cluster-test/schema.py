"""An upgrade over several versions of the schema at once: docmill on a database that the first migrations alone have made."""

import hashlib

from install import first_document
from rig import ROOT, SERVERS, Failed, kubectl

OLD = 2
MIGRATIONS = ROOT / "crates/catalog/migrations"
# What sqlx keeps its record in.
RECORD = """create table _sqlx_migrations (version bigint primary key, description text not null, installed_on timestamptz not null default now(),
    success boolean not null, checksum bytea not null, execution_time bigint not null);"""


def psql(text, database="docmill"):
    options = ["--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1", "--host=/tmp", "--username=postgres"]
    return kubectl("exec", "-i", "-n", SERVERS, "postgres", "--", "psql", *options, database, text=text).strip()


def old_database():
    """A database as the program of schema OLD left it; of what is made, the role of the programs is the owner."""
    psql("drop database docmill with (force);", "postgres")
    psql("create database docmill owner docmill;", "postgres")
    statements = ["set role docmill;", RECORD]
    for file in sorted(MIGRATIONS.glob("0*.sql")):
        version, name = file.name.split("_", 1)
        if int(version) > OLD or ".sqlite." in name:
            continue
        content = file.read_text()
        name = name.removesuffix(".sql").removesuffix(".postgres").replace("_", " ")
        checksum = hashlib.sha384(content.encode()).hexdigest()
        statements += [content, f"insert into _sqlx_migrations values ({int(version)}, '{name}', now(), true, '\\x{checksum}', 0);"]
    psql("\n".join(statements))


def stage(checks, helm, key):
    newest = max(int(file.name[:4]) for file in MIGRATIONS.glob("0*.sql"))

    def upgraded():
        helm("uninstall", "docmill", "--wait", "--timeout", "180s")
        old_database()
        told = first_document(helm, key)
        checks.figures["schema"] = {"from": OLD, "to": int(psql("select max(version) from _sqlx_migrations where success")), "seconds": told["seconds"]}
        return checks.figures["schema"]["to"] == newest or Failed(checks.figures["schema"])

    checks.check(f"on a database of schema {OLD}, the Job migrates to {newest} at once, and a document is converted", upgraded)
    helm.upgrade()
