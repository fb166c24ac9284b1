"""What pip needs beyond pyproject.toml: the weights become package data."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["fcis_ros", "fcis_ros.*"]), "fcis_ros.weights"],
    package_dir={"fcis_ros.weights": "weights"},
    package_data={"": ["*.j2"], "fcis_ros.weights": ["*"]},
)
