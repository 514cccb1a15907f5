"""Storage at /storage/v1: buckets, uploads, downloads and signed URLs, as the official clients use them.

    server.py    the routes, and the buckets
    objects.py   list, move and delete objects; sign URLs
    files.py     a request's body → bytes on disk and a row in storage.objects, and bytes back
    signing.py   the tokens in signed URLs
    database.py  statements in the caller's role, so that row level security decides
    problems.py  errors in the shape that the clients read, and which keys are allowed

Left out: copy, list-v2, several signed URLs at once, changing or deleting a bucket, user metadata, cache
times, image transformation, resumable uploads, S3.
"""
