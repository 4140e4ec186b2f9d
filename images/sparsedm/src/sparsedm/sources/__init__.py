"""Files and folders that lie elsewhere: object stores, web servers, model hubs, registries.

`fetch.fetch_all` turns each remote URI of a configuration into a path in this pod, before work starts. One
module for each scheme lists files with their sizes and reads them from any byte on; everything else (cache,
resumption, digests, retries, progress) is theirs together.
"""
