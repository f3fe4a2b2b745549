"""Archives for the tests, good and hostile, packed in memory."""

import bz2
import gzip
import io
import lzma
import tarfile
import warnings
import zipfile

import zstandard

COMPRESSORS = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
TARS = [f".tar{suffix}" for suffix in COMPRESSORS]
SHORT = {".tgz": ".gz", ".tbz2": ".bz2", ".txz": ".xz", ".tzst": ".zst"}


def zipped(members, method=zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(members, suffix=".tar", form=tarfile.PAX_FORMAT) -> bytes:
    """Members are (name, content), or TarInfo without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return COMPRESSORS[SHORT.get(suffix, suffix.removeprefix(".tar"))](buffer.getvalue())


def packed(members, suffix) -> bytes:
    return zipped(members) if suffix == ".zip" else tarred(members, suffix)


ALL = [".zip", *TARS, *SHORT]
