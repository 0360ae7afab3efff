#!/bin/sh
# Go types -> protobuf.json and types/; OpenAPI v3 documents in the folder $1 -> openapi.json.gz
set -e
folder=${1:+$(cd "$1" && pwd)}
cd "$(dirname "$0")"
go run . | node types.ts
node openapi.ts ${folder:+"$folder"}
