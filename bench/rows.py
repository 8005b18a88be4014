# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured, as tables: inputs, peers, and rows of ours against them, each with its aim.

{d} is the directory of the inputs, {b} that of the programs, {ctl} ckptctl, {hook} ckpt-hook, {py} Python, {here}
bench/, {t} the number of threads.
"""

# name: what makes it (of inputs.py), its arguments; MIB and NAMES are the run's sizes
INPUTS = {
    "zip": ("torch_zip", "{d}/ckpt-1.pt", "MIB"),
    "zip/2": ("torch_zip", "{d}/ckpt-half.pt", "MIB/2"),
    "zip/4": ("torch_zip", "{d}/ckpt-quarter.pt", "MIB/4"),
    "tf": ("tf_bundle", "{d}/model.ckpt-100", "MIB"),
    "hdf5": ("hdf5", "{d}/model.h5", "MIB/4"),
    "shards8": ("shards", "{d}/shards8", "MIB", 8),
    "shards32": ("shards", "{d}/shards32", "MIB", 32),
    "megatron": ("megatron", "{d}/iter_0000100", "MIB", 32),
    "one": ("one_listed", "{d}/one", "MIB/2"),
    "shards1000": ("shards", "{d}/shards1000", "MIB/4", 1000),
    "entries": ("many_entries", "{d}/entries.pt", "NAMES"),
    "entries/2": ("many_entries", "{d}/entries-half.pt", "NAMES/2"),
    "entries/4": ("many_entries", "{d}/entries-quarter.pt", "NAMES/4"),
    "names": ("names", "{d}/names", "NAMES"),
    "names/2": ("names", "{d}/names-half", "NAMES/2"),
    "names/4": ("names", "{d}/names-quarter", "NAMES/4"),
}

# name: its command; {f} are a row's files, {list} its list of digests
PEERS = {
    "plain read": "{b}/plain-read {t} {f}",
    "O_DIRECT read": "{b}/plain-read --direct {t} {f}",
    "sha256sum -c": "sh -c 'cd $(dirname {list}) && sha256sum --quiet -c {list}'",
    "sha256sum": "sha256sum {f}",
    "openssl dgst": "openssl dgst -sha256 {f}",
    "b3sum": "b3sum {f}",
    "unzip -t": "unzip -tq {f}",
    "python3 -m zipfile -t": "{py} -m zipfile -t {f}",
    "7z t": "7z t {f}",
    "hashlib loop": "{py} {here}/hash_loop.py {list}",
    "torch.load": "{py} -c 'import sys, torch; torch.load(sys.argv[1], map_location=\"cpu\")' {f}",
    "torch.load, the call": "{py} {here}/load.py {f}",
    "ls -t": "ls -t {f}",
    "find | sort": "sh -c \"find {f} -type f -printf '%T@ %p\\n' | sort -rn | head -n 1\"",
    "python3 -c pass": "{py} -c pass",
    "zipfile.infolist": "{py} -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).infolist()' {f}",
}

# peers that print what they took themselves, in microseconds: without a start that is not their work
OWN_FIGURE = {"torch.load, the call"}

# name, what it does, input, files, ours, {peer: ours takes at most that part of its time; None: no aim}
ROWS = [
    dict(id="zip", work="full check, torch zip", input="zip", files="{d}/ckpt-1.pt",
         ours="{ctl} validate -q {f}",
         peers={"plain read": 1.3, "sha256sum": 1 / 40, "unzip -t": 1 / 60, "python3 -m zipfile -t": 1 / 5,
                "7z t": 0.33, "torch.load": 1 / 12, "torch.load, the call": None,
                "openssl dgst": None, "b3sum": None}),
    dict(id="tf", work="full check, TensorFlow bundle", input="tf",
         files="{d}/model.ckpt-100.index {d}/model.ckpt-100.data-00000-of-00001",
         ours="{ctl} validate -q {d}/model.ckpt-100", peers={"plain read": 1.3, "sha256sum": 1 / 40}),
    dict(id="hdf5", work="full check, HDF5 (Fletcher32)", input="hdf5", files="{d}/model.h5",
         ours="{ctl} validate -q {f}", peers={"plain read": None, "sha256sum": None}),
    dict(id="seal", work="seal", input="zip", files="{d}/ckpt-1.pt", ours="{ctl} seal -q {f}",
         before="rm -f {d}/ckpt-1.pt.metadata.json", after="rm -f {d}/ckpt-1.pt.metadata.json",
         peers={"sha256sum": 1 / 15, "openssl dgst": 1 / 3.3}),
    dict(id="verify", work="verify by seal", input="zip", files="{d}/ckpt-1.pt", ours="{ctl} validate -q {f}",
         begin="{ctl} seal -q {d}/ckpt-1.pt", after_all="rm -f {d}/ckpt-1.pt.metadata.json",
         peers={"sha256sum": 1 / 15, "openssl dgst": 1 / 3.3, "b3sum": None}),
    dict(id="list32", work="SHA256SUMS, 32 shards", input="shards32", files="{d}/shards32/*",
         list="{d}/shards32/SHA256SUMS", ours="{ctl} validate -q {d}/shards32/model.safetensors.index.json",
         peers={"sha256sum -c": 1 / 10}),
    dict(id="list32h", work="the same", input="shards32", files="{d}/shards32/*",
         list="{d}/shards32/digests.json", ours="{ctl} validate -q {d}/shards32/model.safetensors.index.json",
         peers={"hashlib loop": 1 / 3}),
    dict(id="list8", work="SHA256SUMS, 8 shards", input="shards8", files="{d}/shards8/*",
         list="{d}/shards8/digests.json", ours="{ctl} validate -q {d}/shards8/model.safetensors.index.json",
         peers={"hashlib loop": None}),
    dict(id="integrity", work="integrity.json, 32 files and more", input="megatron", files="{d}/iter_0000100/*",
         list="{d}/iter_0000100/integrity.json", ours="{ctl} validate -q {d}/iter_0000100",
         peers={"hashlib loop": 1 / 3}),
    dict(id="one", work="SHA256SUMS, one large file", input="one", files="{d}/one/model.safetensors",
         list="{d}/one/SHA256SUMS", ours="{ctl} validate -q {f}", peers={"openssl dgst": 1.0, "sha256sum -c": None}),
    dict(id="cold", work="cold, past the page cache", input="zip", files="{d}/ckpt-1.pt", cold=True,
         ours="{ctl} validate -q --cache=leave {f}", peers={"O_DIRECT read": 1.1}, cpu_per_gb=0.15, turns=11),
    # a disk of 1.3 GB/s, which is what the aim was found on, whatever this one gives
    dict(id="cold-held", work="cold, a disk held to 1.3 GB/s", input="zip", files="{d}/ckpt-1.pt", cold=True, hold=1300000000,
         ours="{ctl} validate -q --cache=leave {f}", peers={"O_DIRECT read": 1.1}, cpu_per_gb=0.15, turns=3),
    dict(id="cold-fill", work="cold, filling the page cache", input="zip", files="{d}/ckpt-1.pt", cold=True,
         ours="{ctl} validate -q --cache=fill {f}", peers={"O_DIRECT read": None, "plain read": None}),
    dict(id="structure", work="structure alone, 1,200 members", input="zip", files="{d}/ckpt-1.pt",
         ours="{ctl} validate -q --level=structure {f}", peers={"zipfile.infolist": None}, wall_ms=5, turns=20),
    dict(id="scan", work="newest of {names} names", input="names", files="{d}/names",
         ours="{ctl} resolve --dir {f}", peers={"ls -t": 0.45, "find | sort": 0.3}, turns=11),
    dict(id="hook", work="hook, nothing to do", input=None, files="", ours="{hook} prolog",
         peers={"python3 -c pass": 0.15}, turns=50),
    dict(id="entries", work="full check, {names} entries", input="entries", files="{d}/entries.pt",
         ours="{ctl} validate -q {f}", peers={"python3 -m zipfile -t": None}),
    dict(id="shards1000", work="SHA256SUMS, 1,000 shards", input="shards1000", files="{d}/shards1000/*",
         list="{d}/shards1000/digests.json", ours="{ctl} validate -q {d}/shards1000/model.safetensors.index.json",
         peers={"hashlib loop": 1 / 3}),
]

# cost at a quarter, a half and all of a size: a unit's cost at all of it is at most that many times the dearer of
# the two smaller ones'
LINEAR = [
    dict(id="linear-bytes", work="full check, by bytes", aim=1.25,
         sizes=[("zip/4", "{d}/ckpt-quarter.pt", 1), ("zip/2", "{d}/ckpt-half.pt", 2), ("zip", "{d}/ckpt-1.pt", 4)],
         ours="{ctl} validate -q {f}"),
    dict(id="linear-entries", work="full check, by entries", aim=1.25,
         sizes=[("entries/4", "{d}/entries-quarter.pt", 1), ("entries/2", "{d}/entries-half.pt", 2),
                ("entries", "{d}/entries.pt", 4)],
         ours="{ctl} validate -q {f}"),
    dict(id="linear-names", work="newest, by names", aim=1.25,
         sizes=[("names/4", "{d}/names-quarter", 1), ("names/2", "{d}/names-half", 2), ("names", "{d}/names", 4)],
         ours="{ctl} resolve --dir {f}"),
]

RSS_KIB = 64 * 1024  # aim of every row of ours
