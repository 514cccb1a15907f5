"""/storage/v1: buckets and objects, as the official clients use them.

    server.py    the routes
    buckets.py   make, list, change, empty and remove buckets
    uploads.py   a request's body → bytes on disk, a row in storage.objects
    objects.py   list, move, copy, remove, tell of objects
    downloads.py bytes back, whole or in ranges: with a token, by signed address, from public buckets
    signing.py   the tokens in signed addresses
    database.py  statements as the caller's role, so that row security decides; as Storage itself where hosted does
    blobs.py     bytes by their SHA-256
    problems.py  errors in the shape that the clients read

Not here: image transformation, resumable uploads, S3, versions.
"""
