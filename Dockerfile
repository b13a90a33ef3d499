# The project for a class server: JupyterLab alone, or an image for JupyterHub's DockerSpawner. Built on Jupyter's
# minimal-notebook, whose conventions it keeps: the user is jovyan (NB_UID), conda's environment the base one.
#   docker build -t fns-lab . && docker run --rm -p 8888:8888 fns-lab
ARG BASE=quay.io/jupyter/minimal-notebook:latest
FROM ${BASE}

USER root
COPY binder/apt.txt /tmp/apt.txt
RUN apt-get update --yes && \
    xargs --arg-file=/tmp/apt.txt apt-get install --yes --no-install-recommends && \
    apt-get clean && rm -rf /var/lib/apt/lists/* /tmp/apt.txt

USER ${NB_UID}
WORKDIR /home/${NB_USER}/fns_lab
COPY --chown=${NB_UID}:${NB_GID} environment.yml ./
RUN mamba env update --name base --file environment.yml && mamba clean --all --force-pkgs-dirs --yes
COPY --chown=${NB_UID}:${NB_GID} . ./
RUN binder/postBuild && fix-permissions "/home/${NB_USER}"

ENV JUPYTERHUB_DEFAULT_URL=/lab/tree/fns_lab/notebooks/00_start.ipynb
WORKDIR /home/${NB_USER}
