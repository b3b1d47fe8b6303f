'use strict';

/** Jest, for the test files that are named on its command line: modules run in a realm of their own for each file. */

const path = require('path');

const root = path.join(__dirname, '../..');

module.exports = {
  rootDir: root,
  roots: [path.join(root, '__test__'), path.join(root, 'lib')],
  modulePathIgnorePatterns: [path.join(root, '__test__/pomelo-cluster')],
  testMatch: ['**/*.test.js'],
  testEnvironment: 'node',
  transform: {},
  moduleNameMapper: { '^node:test$': path.join(__dirname, 'node-test.js') },
  testTimeout: 30000,
  maxWorkers: 2,
  watchman: false,
};
