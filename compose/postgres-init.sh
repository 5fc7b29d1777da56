#!/bin/sh
# Run by the image on an empty volume, before anyone can connect: docmill's database, and a role that owns it and is nothing else.
set -eu
psql --set ON_ERROR_STOP=1 --set "password=$CATALOG_PASSWORD" --username postgres <<'END'
create role docmill login password :'password';
create database docmill owner docmill;
END
