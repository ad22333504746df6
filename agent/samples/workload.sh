#!/bin/sh
# The sample workload of `picket up`: does what the sample policies beside this file are about. $1: its folder.
base64 "$1/credentials/password"
cat "$1/credentials/password"
touch "$1/note"
unlink "$1/note"
ls "$1" >/dev/null
