import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'src/api/generated/', '.cache/'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['*.js', 'scripts/*.mjs'] } },
    },
    rules: {
      complexity: ['error', 10],
      'max-depth': ['error', 3],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: 'error',
    },
  },
  { files: ['**/*.js', '**/*.mjs'], ...tseslint.configs.disableTypeChecked },
  {
    files: ['**/*.mjs', '*.js'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
  // What is decided about an object reaches the API only through KubeClient: its guard, its manager, its comparison.
  {
    files: ['src/finetune/**/*.ts', 'src/inference/**/*.ts', 'src/workload/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: ['undici', 'http', 'https', 'node:http', 'node:https', '@kubernetes/client-node'].map(
            (name) => ({ name, message: 'Reconcilers talk to the API through KubeClient alone.' }),
          ),
          patterns: [
            {
              group: ['**/runtime/http/**', '**/runtime/manager'],
              message: 'Reconcilers talk to the API through KubeClient alone.',
            },
          ],
        },
      ],
    },
  },
  // In a test every ?. counts as a branch; a test that reads well may have many.
  { files: ['**/*.test.ts'], rules: { complexity: 'off' } },
);
