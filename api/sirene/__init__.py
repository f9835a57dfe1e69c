"""The national register, SIRENE: INSEE's files are read, joined and loaded as the service's own copy.

`importing` is the use case. `files` opens what INSEE publishes (`zipped_csv`, `parquet`); `stocks` says which columns
are read and what they mean; `staging` joins the files slice by slice (`slices`) in a `scratch` folder.
"""
