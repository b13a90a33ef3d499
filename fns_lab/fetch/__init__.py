"""Downloads of what the repository does not hold.

- `upstream`: pytorch/examples' style images and networks
- `packages`: files of pip's and npm's packages, which are not installed
- `engines`: engines of other versions beside the pinned ones
"""
