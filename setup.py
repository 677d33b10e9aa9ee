"""Installs quad_learner: with colcon for a ROS 2 machine, or with pip for any other."""

from glob import glob

from setuptools import find_packages, setup

PACKAGE = 'quad_learner'
SHARE = f'share/{PACKAGE}'
NODES = (
    'robot_sim',
    'robot_ros2_control',
    'estimator',
    'safety',
    'reset',
    'policy',
    'drive',
    'keyboard',
    'learner',
    'monitor',
)

setup(
    name=PACKAGE,
    version='0.1.0',
    description='A quadruped learns to walk on the robot itself, without breaking itself.',
    long_description='See README.md.',
    maintainer='The quad_learner developers',
    maintainer_email='quad-learner@example.org',
    license='Apache-2.0',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={PACKAGE: ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (SHARE, ['package.xml']),
        (f'{SHARE}/launch', sorted(glob('launch/*.launch.py'))),
        (f'{SHARE}/config', sorted(glob('config/*.yaml'))),
        (f'{SHARE}/config/sros2', sorted(glob('config/sros2/*'))),
        (f'{SHARE}/config/tools', sorted(glob('config/tools/*'))),
        (f'{SHARE}/config/problems', sorted(glob('config/problems/*.yaml'))),
        (f'{SHARE}/config/robots', sorted(glob('config/robots/*.yaml'))),
    ],
    python_requires='>=3.10',
    # Nothing of ROS here: its wheels and its packages bear different names, so pip could not tell
    # that they are there. requirements/ pins everything; package.xml names the rest for rosdep.
    install_requires=['setuptools', 'numpy', 'PyYAML'],
    extras_require={'test': ['pytest']},
    zip_safe=True,
    entry_points={
        'console_scripts': [
            f'quad-learner = {PACKAGE}.cli:main',
            *(f'{node} = {PACKAGE}.nodes.{node}:main' for node in NODES),
        ],
    },
)
